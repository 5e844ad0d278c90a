//! Wrong variants of the ledger: the tests beside this one notice each.

use std::panic::catch_unwind;

use millpond_mutants::{Mutant, choose};

use crate::edges;

const VARIANTS: [(Mutant, fn()); 6] = [
    (Mutant::I64Wrap, edges::an_overflow_is_a_dead_letter_and_changes_nothing),
    (Mutant::OrderForgotten, edges::every_input_counts_once_under_its_name),
    (Mutant::RefundForgotten, edges::every_input_counts_once_under_its_name),
    (Mutant::ReferenceForgotten, edges::every_input_counts_once_under_its_name),
    (Mutant::OverdraftUnchecked, edges::every_input_counts_once_under_its_name),
    (Mutant::RefundUnbounded, edges::every_input_counts_once_under_its_name),
];

#[test]
fn every_wrong_variant_of_the_ledger_is_found() {
    for (mutant, test) in VARIANTS {
        choose(&[mutant]);
        let found = catch_unwind(test).is_err();
        choose(&[]);
        assert!(found, "{mutant} is not noticed");
        test();
    }
}
