//! Wrong variants of the task: the tests beside this one notice each.

use std::panic::catch_unwind;

use millpond_mutants::{Mutant, choose};

use crate::{dead_letters, inputs, transaction, undo};

const VARIANTS: [(Mutant, fn()); 9] = [
    (Mutant::UndoForgotten, undo::a_rejected_record_undoes_its_writes_outputs_and_counts_and_no_other),
    (Mutant::LetterLost, dead_letters::a_processors_refusal_keeps_key_value_timestamp_and_headers),
    (
        Mutant::TimestampsUnchecked,
        inputs::a_record_dated_too_far_ahead_holds_up_nothing_and_moves_no_stream_time,
    ),
    (Mutant::UnsortedBatch, transaction::after_images_are_one_per_key_in_key_order_and_the_last_write_wins),
    (
        Mutant::OffsetAhead,
        inputs::the_offset_sent_is_the_next_unprocessed_record_or_the_position_when_there_is_none,
    ),
    (Mutant::OverlayKept, transaction::a_redo_gives_the_same_bytes),
    (Mutant::NoRedo, transaction::a_redo_gives_the_same_bytes),
    (Mutant::MarkerBehind, transaction::the_marker_restores_the_task_that_wrote_it),
    (Mutant::NoAppliedCheck, inputs::records_below_the_applied_offset_are_skipped_and_offsets_never_decrease),
];

#[test]
fn every_wrong_variant_of_the_task_is_found() {
    for (mutant, test) in VARIANTS {
        choose(&[mutant]);
        let found = catch_unwind(test).is_err();
        choose(&[]);
        assert!(found, "{mutant} is not noticed");
        test();
    }
}
