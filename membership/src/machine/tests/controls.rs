//! Wrong variants of the machine: the tests beside this one notice each.

use std::panic::catch_unwind;

use millpond_mutants::{Mutant, choose};

use crate::machine::tests::trouble;

const VARIANTS: [(Mutant, fn()); 4] = [
    (Mutant::UnknownMemberReplayed, trouble::after_a_loss_nothing_is_joined_before_it_is_acknowledged),
    (Mutant::UnknownMemberReplayed, trouble::an_unknown_member_at_join_is_a_loss_while_it_has_a_fence),
    (Mutant::EmptyMemberRejoin, trouble::after_a_loss_nothing_is_joined_before_it_is_acknowledged),
    (
        Mutant::GapIgnored,
        trouble::a_member_that_missed_a_generation_drops_everything_and_joins_with_empty_hands,
    ),
];

#[test]
fn every_wrong_variant_of_the_machine_is_found() {
    for (mutant, test) in VARIANTS {
        choose(&[mutant]);
        let found = catch_unwind(test).is_err();
        choose(&[]);
        assert!(found, "{mutant} is not noticed");
        test();
    }
}
