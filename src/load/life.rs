//! A whole life of one account, step by step: everything that can happen to it, and every reason for which something does not.
//!
//! The steps are far enough apart to be dated in their order, so that both inputs are read in it; where they are not, another
//! step of the list is refused or accepted, and the oracle knows that as well.

use super::others::OtherKind;

/// One step: what is sent, with `USER` for the user's number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) kind: OtherKind,
    pub(super) event_type: &'static str,
    payload: &'static str,
}

impl Step {
    /// Returns the payload for a user.
    pub(super) fn payload(&self, user: u64) -> String {
        format!(r#"{{"userId":{user},{}}}"#, self.payload)
    }
}

/// How far the account of the present life is.
#[derive(Debug, Clone, Default)]
pub(super) struct Life {
    user: u64,
    next: usize,
}

impl Life {
    /// Returns the next step and whose it is; `newborn` is the user of the life that begins when one has ended.
    pub(super) fn step(&mut self, newborn: u64) -> Option<(u64, &'static Step)> {
        if self.next == 0 {
            self.user = newborn;
        }
        let step = STEPS.get(self.next);
        self.next = (self.next + 1) % STEPS.len();
        Some((self.user, step?))
    }
}

const fn command(event_type: &'static str, payload: &'static str) -> Step {
    Step { kind: OtherKind::LifeCommand, event_type, payload }
}

const fn order(event_type: &'static str, payload: &'static str) -> Step {
    Step { kind: OtherKind::LifeOrder, event_type, payload }
}

/// An order number within the life, and the rest of the payload.
macro_rules! created {
    ($order:literal, $fen:literal) => {
        order(
            "OrderCreated",
            concat!(r#""orderId":"#, $order, r#","orderNo":"life-"#, $order, r#"","amountFen":"#, $fen),
        )
    };
}

macro_rules! cancelled {
    ($order:literal) => {
        order("OrderCancelled", concat!(r#""orderId":"#, $order))
    };
}

macro_rules! refund {
    ($order:literal, $refund:literal, $fen:literal) => {
        order(
            "OrderRefundRequested",
            concat!(r#""orderId":"#, $order, r#","refundId":""#, $refund, r#"","amountFen":"#, $fen),
        )
    };
}

macro_rules! money {
    ($event_type:literal, $reference:literal, $fen:literal) => {
        command($event_type, concat!(r#""amountFen":"#, $fen, r#","reference":""#, $reference, "\""))
    };
}

macro_rules! turn {
    ($event_type:literal) => {
        command($event_type, r#""reason":"life""#)
    };
}

/// The balance after each step that changes it stands beside it.
static STEPS: &[Step] = &[
    // Nobody is there yet.
    turn!("FreezeAccount"),
    turn!("CloseAccount"),
    money!("WithdrawFunds", "w", 100),
    created!(1, 10),
    refund!(1, "r", 5),
    cancelled!(1),
    command("OpenAccount", r#""currency":"CNY","overdraftFen":100"#),
    command("OpenAccount", r#""currency":"CNY","overdraftFen":100"#),
    command("OpenAccount", r#""currency":"USD","overdraftFen":100"#),
    money!("DepositFunds", "d", 1000), // 1000
    money!("DepositFunds", "d", 1000),
    money!("WithdrawFunds", "w", 2000),
    // What was rejected may be tried again, what was applied may not.
    money!("WithdrawFunds", "w", 100), // 900
    money!("WithdrawFunds", "w", 100),
    command("WithdrawFunds", r#""amountFen":1,"currency":"USD","reference":"x""#),
    // Down to the last fen of the overdraft.
    created!(2, 1000), // -100
    created!(3, 1),
    refund!(2, "a", 300), // 200
    refund!(2, "a", 300),
    refund!(2, "b", 800),
    refund!(2, "b", 200), // 400
    turn!("FreezeAccount"),
    turn!("FreezeAccount"),
    created!(4, 1),
    money!("WithdrawFunds", "y", 1),
    // Money still comes in.
    refund!(2, "c", 100),           // 500
    money!("DepositFunds", "e", 5), // 505
    turn!("UnfreezeAccount"),
    turn!("UnfreezeAccount"),
    cancelled!(2), // 905
    cancelled!(2),
    // Refunded in full, so that a cancellation finds nothing.
    created!(5, 50),       // 855
    refund!(5, "all", 50), // 905
    cancelled!(5),
    cancelled!(6),
    created!(6, 1),
    turn!("CloseAccount"),
    created!(7, 10),                   // 895
    money!("WithdrawFunds", "z", 895), // 0
    turn!("CloseAccount"),
    turn!("CloseAccount"),
    turn!("FreezeAccount"),
    turn!("UnfreezeAccount"),
    created!(8, 1),
    money!("DepositFunds", "late", 1),
    money!("WithdrawFunds", "late", 1),
    // A closed account still gets back what it paid.
    refund!(7, "r", 4), // 4
    cancelled!(7),      // 10
];

#[cfg(test)]
mod tests {
    use super::{Life, STEPS};

    #[test]
    fn a_life_is_lived_by_one_user_and_then_by_the_next() {
        let mut life = Life::default();
        for user in [70, 80] {
            for at in 0..STEPS.len() {
                let newborn = if at == 0 { user } else { 1 };
                let (whose, step) = life.step(newborn).unwrap();
                let json: serde_json::Value = serde_json::from_str(&step.payload(whose)).unwrap();
                assert_eq!(json["userId"], user, "step {at}");
            }
        }
    }
}
