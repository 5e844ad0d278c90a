//! Every state with every input.

use crate::{
    Input, InputKind as I, Leave, Refused, Report, StateKind as S, Why, machine::tests::script::Script,
};

const INPUTS: [I; 7] =
    [I::Tick, I::Connected, I::Disconnected, I::Bytes, I::Report, I::AcknowledgeLost, I::Leave];

/// The state after each input, in the order of `INPUTS` (bytes: half a frame; leave: for good); `None` is
/// refused.
const TABLE: [(S, [Option<S>; 7]); 10] = {
    use S::*;
    const NO: Option<S> = None;
    [
        (Resting, [Some(Dialing), NO, NO, NO, Some(Resting), NO, Some(Ended)]),
        (Dialing, [Some(Dialing), Some(Finding), Some(Resting), NO, Some(Dialing), NO, Some(Ended)]),
        (Finding, [Some(Finding), NO, Some(Resting), Some(Finding), Some(Finding), NO, Some(Ended)]),
        (Joining, [Some(Joining), NO, Some(Resting), Some(Joining), Some(Joining), NO, Some(Ended)]),
        (Syncing, [Some(Syncing), NO, Some(Resting), Some(Syncing), Some(Syncing), NO, Some(DialingToLeave)]),
        (Stable, [Some(Stable), NO, Some(Resting), Some(Stable), Some(Stable), NO, Some(Leaving)]),
        (Lost, [Some(Lost), NO, NO, NO, Some(Lost), Some(Resting), Some(DialingToLeave)]),
        (
            DialingToLeave,
            [Some(DialingToLeave), Some(Leaving), Some(Ended), NO, Some(DialingToLeave), NO, NO],
        ),
        (Leaving, [Some(Leaving), NO, Some(Ended), Some(Leaving), Some(Leaving), NO, NO]),
        (Ended, [NO, NO, NO, NO, NO, NO, NO]),
    ]
};

fn in_state(state: S) -> Script {
    let mut script = match state {
        S::Resting => Script::new(None),
        S::Dialing | S::Finding => {
            let mut script = Script::new(None);
            script.step(Input::Tick);
            if state == S::Finding {
                script.step(Input::Connected);
            }
            script
        }
        S::Joining => Script::until_joining(None),
        S::Syncing => {
            let mut script = Script::until_joining(None);
            script.joined(0, "m-1", 5);
            script
        }
        S::Stable | S::Lost | S::DialingToLeave | S::Leaving | S::Ended => Script::stable(None, &["0_0"]),
    };
    match state {
        S::Lost | S::DialingToLeave => script.tick_after(7_000),
        S::Leaving => script.step(Input::Leave(Leave::Gone)),
        S::Ended => script.step(Input::Leave(Leave::Back)),
        _ => {}
    }
    if state == S::DialingToLeave {
        script.step(Input::Leave(Leave::Gone));
    }
    assert_eq!(script.machine.state(), state);
    script
}

#[test]
fn every_pair_is_defined_and_a_refused_one_changes_nothing() {
    let report = Report::default();
    for (state, expected) in TABLE {
        for (kind, next) in INPUTS.into_iter().zip(expected) {
            let input = match kind {
                I::Tick => Input::Tick,
                I::Connected => Input::Connected,
                I::Disconnected => Input::Disconnected,
                I::Bytes => Input::Bytes(&[0, 0]),
                I::Report => Input::Report(&report),
                I::AcknowledgeLost => Input::AcknowledgeLost,
                I::Leave => Input::Leave(Leave::Gone),
            };
            let mut machine = in_state(state).machine;
            let now = in_state(state).now;
            let before = format!("{machine:?}");
            match (machine.step(now, input), next) {
                (Ok(_), Some(next)) => assert_eq!(machine.state(), next, "{state:?} x {kind:?}"),
                (Err(error), None) => {
                    assert_eq!(error, Refused { state, input: kind });
                    assert_eq!(format!("{machine:?}"), before, "{state:?} x {kind:?} changed something");
                }
                (got, next) => panic!("{state:?} x {kind:?}: {got:?}, expected {next:?}"),
            }
        }
    }
}

#[test]
fn a_lost_instance_id_ends_the_machine_once_acknowledged() {
    let mut script = Script::stable(Some("i"), &[]);
    script.tick_after(500);
    script.beaten(82);
    assert_eq!(script.told(), [crate::Event::Lost(Why::FencedInstance)]);
    script.step(Input::AcknowledgeLost);
    assert_eq!(script.machine.state(), S::Ended);
}
