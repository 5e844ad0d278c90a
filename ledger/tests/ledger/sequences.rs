//! Any sequence of events, with duplicates and conflicts, aborted and redone, crashed and restored at any
//! record.

use proptest::prelude::*;

use crate::input::{COMMANDS, Input, ORDERS, What};
use crate::run::Run;

/// A step of a run.
#[derive(Debug, Clone)]
enum Step {
    Pipe(Input),
    Begin,
    Commit,
    Abort,
    Crash,
}

fn currency() -> impl Strategy<Value = Option<&'static str>> {
    prop::sample::select(vec![None, None, Some("CNY"), Some("CNY"), Some("USD")])
}

fn amount() -> impl Strategy<Value = i64> {
    prop_oneof![
        6 => 1i64..200,
        2 => prop::sample::select(vec![1, 50, 99, 100, 101]),
        1 => prop::sample::select(vec![1_000_000_000_000_000, 999_999_999_999_999, 372_036_854_775_807]),
    ]
}

fn reason() -> impl Strategy<Value = Option<&'static str>> {
    prop::sample::select(vec![None, Some("fraud \"x\" \\ y")])
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c", "\"quoted\\", "~ ~"]).prop_map(str::to_owned)
}

/// Any event, few of each kind apart.
pub(crate) fn what() -> impl Strategy<Value = What> {
    let order = || 1u64..4;
    prop_oneof![
        8 => (order(), amount(), currency())
            .prop_map(|(order, amount, currency)| What::Created { order, amount, currency }),
        // Few amounts, so that the same order comes again with the same one.
        6 => (order(), currency())
            .prop_map(|(order, currency)| What::Created { order, amount: 60, currency }),
        1 => order().prop_map(|order| What::Paid { order }),
        3 => order().prop_map(|order| What::Cancelled { order }),
        5 => (order(), name(), amount())
            .prop_map(|(order, refund, amount)| What::Refund { order, refund, amount }),
        3 => (currency(), prop::sample::select(vec![None, Some(0), Some(50), Some(1_000_000_000_000_000)]))
            .prop_map(|(currency, overdraft)| What::Open { currency, overdraft }),
        6 => (amount(), currency(), name())
            .prop_map(|(amount, currency, reference)| What::Deposit { amount, currency, reference }),
        4 => (amount(), currency(), name())
            .prop_map(|(amount, currency, reference)| What::Withdraw { amount, currency, reference }),
        1 => reason().prop_map(|reason| What::Freeze { reason }),
        2 => reason().prop_map(|reason| What::Unfreeze { reason }),
        1 => reason().prop_map(|reason| What::Close { reason }),
        1 => prop::sample::select(vec![
            What::Broken { topic: ORDERS, value: "{", code: "NOT_JSON" },
            What::Broken { topic: COMMANDS, value: "[]", code: "NOT_AN_OBJECT" },
            What::Broken { topic: COMMANDS, value: r#"{"a":1,"a":1}"#, code: "DUPLICATE_FIELD" },
            What::Broken {
                topic: ORDERS,
                value: concat!(
                    r#"{"eventType":"OrderPaid","eventId":"e","occurredAt":"2026-11-20T09:12:34Z","#,
                    r#""payload":{"userId":99,"orderId":1}}"#
                ),
                code: "KEY_MISMATCH",
            },
        ]),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => (1u64..5, what()).prop_map(|(user, what)| Step::Pipe(Input::new(user, what))),
        2 => Just(Step::Begin),
        2 => Just(Step::Commit),
        2 => Just(Step::Abort),
        1 => Just(Step::Crash),
    ]
}

/// Fills user 1's account to the brim: the next great deposit leaves 64 bits.
pub(crate) fn fill(run: &mut Run) {
    run.begin();
    for at in 0..9_223 {
        let (amount, currency, reference) = (1_000_000_000_000_000, None, format!("fill-{at}"));
        run.pipe(&Input::new(1, What::Deposit { amount, currency, reference }));
    }
    run.commit();
}

fn play(steps: &[Step], mut run: Run) {
    for step in steps {
        match step {
            Step::Pipe(input) => run.pipe(input),
            Step::Begin => run.begin(),
            Step::Commit => drop(run.commit()),
            Step::Abort => run.abort(),
            Step::Crash => run.crash(),
        }
    }
    run.finish();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_sequence_does_what_the_model_does(steps in prop::collection::vec(step(), 0..120)) {
        play(&steps, Run::new());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn sequences_at_the_edge_of_64_bits_do_what_the_model_does(
        first in prop::collection::vec(step(), 0..10), steps in prop::collection::vec(step(), 0..60)
    ) {
        let mut run = Run::new();
        for step in &first {
            if let Step::Pipe(input) = step {
                run.pipe(input);
            }
        }
        fill(&mut run);
        play(&steps, run);
    }
}
