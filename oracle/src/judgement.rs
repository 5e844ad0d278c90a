//! Every check that needs no database, in the order in which a report tells them.

use crate::check::{
    BALANCES, DEAD_LETTERS, Folded, MONEY, OUTCOMES, OUTPUTS, Progress, STORES, TALLIES, check_folded,
    check_money, check_offsets, check_stores, check_tallies, check_transactions,
};
use crate::event::{Event, Output, Purpose};
use crate::gather::{Records, State, trimmed};
use crate::report::{Check, Report};
use crate::target::Target;

/// Judges what was read; takes the changelog's rows and the records' findings out.
pub(crate) fn judge(target: &Target, state: &mut State, records: &mut Records) -> Report {
    let names = target.topics.names();
    let [orders, commands] = &records.input_spans;
    let spans = [orders, commands, &records.account_span, &records.letter_span, &state.changelog_span];
    let transactions = check_transactions(spans);
    let (before, after, unprocessed) = (&state.before, &state.after, records.inputs.unprocessed);
    let progress = Progress { before, after, inputs: &records.input_spans, unprocessed };
    let (offsets, lag) = check_offsets(&progress, &state.changelog, &state.cut, &names);

    let gone = trimmed([&state.changelog_span]);
    let (stores, tallies) = if gone.is_empty() {
        let stores = check_stores(target, &state.stores, &state.unreadable, &state.changelog);
        (stores, check_tallies(&mut state.changelog))
    } else {
        (STORES.not_checkable(&gone), TALLIES.not_checkable(&gone))
    };
    let gone = trimmed([&state.changelog_span, &records.account_span]);
    let money = if gone.is_empty() {
        // The fold sorts the same way; this sorts once for both.
        let by_user = |output: &Output| (output.user, output.partition, output.offset);
        records.outputs.records.sort_unstable_by_key(by_user);
        check_money(&records.outputs.records, &state.changelog, &names)
    } else {
        MONEY.not_checkable(&gone)
    };
    let [outcomes, outputs, balances, dead_letters] = fold(target, state, records);
    let checks =
        vec![outcomes, outputs, balances, money, stores, dead_letters, offsets, tallies, transactions];
    Report { checks, lag }
}

/// Makes the four checks that need the whole input.
fn fold(target: &Target, state: &mut State, records: &mut Records) -> [Check; 4] {
    let [orders, commands] = &records.input_spans;
    let spans = [orders, commands, &records.account_span, &records.letter_span, &state.changelog_span];
    let gone = trimmed(spans);
    if !gone.is_empty() {
        return [OUTCOMES, OUTPUTS, BALANCES, DEAD_LETTERS].map(|title| title.not_checkable(&gone));
    }
    let names = target.topics.names();
    let (inputs, outputs) = (&mut records.inputs, &mut records.outputs);
    let folded = check_folded(&mut inputs.records, &mut outputs.records, &mut state.changelog, &names);
    let Folded { notes, balances, figures } = folded;

    let (debited, failed) = outcomes_of(&outputs.records);
    let outcomes = notes.outcomes.conclude(OUTCOMES, format!("{debited} debited, {failed} failed"));
    let mut output_findings = std::mem::take(&mut outputs.findings);
    let (said, beyond) = (outputs.records.len(), outputs.beyond);
    output_findings.absorb(notes.outputs);
    let outputs =
        output_findings.conclude(OUTPUTS, format!("{said} outputs, {beyond} after the last marker"));
    let figure = format!(
        "{} accounts, {} orders, {} references, {} fen",
        figures.accounts, figures.orders, figures.references, figures.balance
    );
    let balances = balances.conclude(BALANCES, figure);

    let mut letters = std::mem::take(&mut inputs.findings);
    let read = letters.checked();
    let bad = inputs.bad + notes.dead_letters.checked();
    letters.absorb(std::mem::take(&mut records.letters.findings));
    letters.absorb(notes.dead_letters);
    let dead_letters = letters.conclude(DEAD_LETTERS, format!("{bad} bad of {read} records"));
    [outcomes, outputs, balances, dead_letters]
}

fn outcomes_of(outputs: &[Output]) -> (usize, usize) {
    let is_debited = |event: &Event| matches!(event, Event::Debited { purpose: Purpose::Order(_), .. });
    let debited = outputs.iter().filter(|output| is_debited(&output.event)).count();
    let failed = outputs.iter().filter(|output| matches!(output.event, Event::DebitFailed { .. })).count();
    (debited, failed)
}
