//! One user's inputs and outputs, walked through in the recorded order.

use super::decide::{Effect, decide};
use super::holdings::Holdings;
use crate::code::Code;
use crate::event::{Body, Event, Input, Output};
use crate::place::{Names, Place, Side};
use crate::report::Findings;

/// What is known about one user, inputs by offset and outputs by their order in the output topic.
#[derive(Debug, Clone, Copy)]
pub(crate) struct History<'a> {
    pub(crate) user: u64,
    pub(crate) orders: &'a [Input],
    pub(crate) commands: &'a [Input],
    pub(crate) outputs: &'a [Output],
}

/// Where the fold writes what it finds.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// Orders and their outcomes.
    pub(crate) outcomes: Findings,
    /// Outputs and their fields.
    pub(crate) outputs: Findings,
    /// Dead letters that only the semantics can judge.
    pub(crate) dead_letters: Findings,
}

/// Folds a user and returns what the user must have at the end.
pub(crate) fn fold_user(history: History<'_>, names: &Names, notes: &mut Notes) -> Holdings {
    let mut named: Vec<Place> = history.outputs.iter().map(|output| output.source).collect();
    named.sort_unstable();
    let done = [vec![false; history.orders.len()], vec![false; history.commands.len()]];
    let mut fold = Fold { history, names, notes, named, done, next: [0, 0], holdings: Holdings::default() };
    for output in history.outputs {
        fold.settle();
        fold.take_named(output);
    }
    fold.settle();
    fold.report_stuck();
    fold.holdings
}

struct Fold<'a, 'n> {
    history: History<'a>,
    names: &'n Names,
    notes: &'n mut Notes,
    /// Sources of the outputs, sorted.
    named: Vec<Place>,
    done: [Vec<bool>; 2],
    /// First input of each side that may still be undone.
    next: [usize; 2],
    holdings: Holdings,
}

fn index_of(side: Side) -> usize {
    match side {
        Side::Orders => 0,
        Side::Commands => 1,
    }
}

impl<'a> Fold<'a, '_> {
    fn inputs(&self, side: Side) -> &'a [Input] {
        match side {
            Side::Orders => self.history.orders,
            Side::Commands => self.history.commands,
        }
    }

    fn is_done(&self, side: Side, at: usize) -> bool {
        self.done.get(index_of(side)).and_then(|done| done.get(at)).copied().unwrap_or(false)
    }

    fn set_done(&mut self, side: Side, at: usize) {
        if let Some(done) = self.done.get_mut(index_of(side)).and_then(|done| done.get_mut(at)) {
            *done = true;
        }
    }

    /// Returns the first undone input of a side.
    fn head(&mut self, side: Side) -> Option<(usize, &'a Input)> {
        let mut at = self.next.get(index_of(side)).copied().unwrap_or(0);
        while self.is_done(side, at) {
            at += 1;
        }
        if let Some(next) = self.next.get_mut(index_of(side)) {
            *next = at;
        }
        self.inputs(side).get(at).map(|input| (at, input))
    }

    /// Takes all inputs without output whose predecessors in their own topic are done.
    fn settle(&mut self) {
        for side in Side::BOTH {
            while let Some((at, input)) = self.head(side) {
                if self.named.binary_search(&input.place).is_ok() || self.waits_for_overflow(input) {
                    break;
                }
                self.set_done(side, at);
                self.take_unnamed(input);
            }
        }
    }

    /// Tells whether an input that became `ARITHMETIC` cannot have done so in this state: then it came later.
    fn waits_for_overflow(&self, input: &Input) -> bool {
        input.dead == Some(Code::Arithmetic)
            && decide(&self.holdings, &input.body) != Effect::Dead(Code::Arithmetic)
    }

    /// Takes an input that has no output.
    fn take_unnamed(&mut self, input: &Input) {
        let effect = decide(&self.holdings, &input.body);
        let is_order = matches!(input.body, Body::OrderCreated { .. });
        let (names, user) = (self.names, self.history.user);
        let here = || {
            format!(
                "{}: user {user}, order {:?}, {}",
                names.show(input.place),
                input.body.order(),
                input.body.name()
            )
        };
        match (input.dead, effect) {
            (None, Effect::Silent(update)) => self.holdings.accept(update),
            (Some(found), Effect::Dead(code)) if found == code => self.notes.dead_letters.looked_at(),
            (None, Effect::Dead(code)) => {
                self.notes
                    .dead_letters
                    .differ(|| format!("{}: dead letter {code} expected, none found", here()));
            }
            (None, Effect::Emit(update, event)) => {
                let findings = if is_order { &mut self.notes.outcomes } else { &mut self.notes.outputs };
                findings.looked_at();
                findings.differ(|| format!("{}: no output found, expected {event:?}", here()));
                self.holdings.accept(update);
            }
            (Some(found), effect) => {
                if is_order && matches!(effect, Effect::Emit(..)) {
                    self.notes.outcomes.looked_at();
                    self.notes.outcomes.differ(|| format!("{}: no outcome but dead letter {found}", here()));
                }
                self.notes
                    .dead_letters
                    .differ(|| format!("{}: dead letter {found}, expected {effect:?}", here()));
            }
        }
    }

    /// Takes the input that an output names.
    fn take_named(&mut self, output: &Output) {
        let side = output.source.side;
        let found = self.inputs(side).binary_search_by_key(&output.source, |input| input.place);
        let (names, user) = (self.names, self.history.user);
        let here = || {
            format!(
                "{}: {} of user {user}, order {:?}",
                names.show_output(output),
                output.event.name(),
                output.event.order()
            )
        };
        let Some((at, input)) = found.ok().and_then(|at| Some((at, self.inputs(side).get(at)?))) else {
            self.notes.outputs.differ(|| format!("{}: its source is no valid input of this user", here()));
            return;
        };
        if self.is_done(side, at) {
            self.notes.outputs.differ(|| format!("{}: its source has had its output already", here()));
            return;
        }
        self.set_done(side, at);
        self.notes.outputs.looked_at();
        if let Some(code) = input.dead {
            self.notes.dead_letters.differ(|| format!("{}: its source is also a dead letter {code}", here()));
        }
        compare_carried(input, output, &mut self.notes.outputs, &here);
        match decide(&self.holdings, &input.body) {
            Effect::Emit(update, expected) => {
                if matches!(input.body, Body::OrderCreated { .. }) {
                    self.notes.outcomes.looked_at();
                    if !is_same_outcome(&expected, &output.event) {
                        self.notes.outcomes.differ(|| {
                            format!("{}: found {:?}, expected {expected:?}", here(), output.event)
                        });
                    }
                }
                if expected != output.event {
                    self.notes
                        .outputs
                        .differ(|| format!("{}: found {:?}, expected {expected:?}", here(), output.event));
                }
                self.holdings.accept(update);
            }
            effect => {
                let is_order = matches!(input.body, Body::OrderCreated { .. });
                let findings = if is_order { &mut self.notes.outcomes } else { &mut self.notes.outputs };
                findings.differ(|| format!("{}: found {:?}, expected {effect:?}", here(), output.event));
                if let Effect::Silent(update) = effect {
                    self.holdings.accept(update);
                }
            }
        }
    }

    /// Reports the inputs whose `ARITHMETIC` was possible nowhere, and what waited behind them.
    fn report_stuck(&mut self) {
        for side in Side::BOTH {
            while let Some((at, input)) = self.head(side) {
                self.set_done(side, at);
                self.take_unnamed(input);
            }
        }
    }
}

/// Compares what an output takes over from its input.
fn compare_carried(input: &Input, output: &Output, findings: &mut Findings, here: &dyn Fn() -> String) {
    if input.timestamp_ms != output.timestamp_ms {
        let (found, expected) = (output.timestamp_ms, input.timestamp_ms);
        findings.differ(|| format!("{}: record timestamp {found}, the input's is {expected}", here()));
    }
    if input.trace != output.trace {
        findings.differ(|| format!("{}: traceparent is not the input's", here()));
    }
}

fn is_same_outcome(expected: &Event, found: &Event) -> bool {
    match (expected, found) {
        (Event::Debited { purpose, change }, Event::Debited { purpose: other, change: found }) => {
            purpose == other && change.delta == found.delta
        }
        (
            Event::DebitFailed { order, amount, reason, .. },
            Event::DebitFailed { order: other, amount: found, reason: because, .. },
        ) => order == other && amount == found && reason == because,
        _ => false,
    }
}
