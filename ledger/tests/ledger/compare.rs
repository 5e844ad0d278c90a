//! Stored rows against the model's.

use millpond_ledger::{Account, AccountCodec, OrderCodec, OrderRecord};
use millpond_topology::{Codec, split_changelog_key};

use crate::model::Model;

/// Compares a row with the model and returns its store and user.
pub(crate) fn compare_row(model: &Model, key: &[u8], value: &[u8]) -> (u16, u64) {
    let (store, key) = split_changelog_key(key).expect("a store id");
    let user = u64::from_be_bytes(key[..8].try_into().unwrap());
    match store {
        1 => compare_account(model, user, &AccountCodec::new().decode(value).expect("an account")),
        2 => {
            let order = u64::from_be_bytes(key[8..].try_into().unwrap());
            compare_order(model, (user, order), &OrderCodec::new().decode(value).expect("an order"));
        }
        _ => {
            let reference = String::from_utf8(key[9..].to_vec()).unwrap();
            assert!(model.references.contains(&(user, key[8] == 0, reference)));
        }
    }
    (store, user)
}

/// Compares the numbers of rows by store.
pub(crate) fn compare_counts(model: &Model, stored: [usize; 4]) {
    assert_eq!(stored, [0, model.accounts.len(), model.orders.len(), model.references.len()]);
}

fn compare_account(model: &Model, user: u64, found: &Account) {
    let want = &model.accounts[&user];
    let wide = |fen: millpond_ledger::Fen| i128::from(fen.get());
    assert_eq!(
        (wide(found.balance), wide(found.overdraft), wide(found.total_credited), wide(found.total_debited)),
        (want.balance, want.overdraft, want.credited, want.debited)
    );
    assert_eq!(format!("{:?}", found.status).to_lowercase(), want.status);
    assert_eq!((format!("{:?}", found.currency), found.version), (want.currency.clone(), want.version));
    assert_eq!(found.fault(), None);
}

fn compare_order(model: &Model, key: (u64, u64), found: &OrderRecord) {
    let want = &model.orders[&key];
    assert_eq!(
        (i128::from(found.amount.get()), i128::from(found.refunded.get()), &found.refund_ids),
        (want.amount, want.refunded, &want.refunds)
    );
    let outcome: String = match want.outcome {
        "debited" => "Debited".into(),
        "cancelled" => "DebitedAndCancelled".into(),
        "early" => "CancellationRemembered".into(),
        reason => reason.split('_').map(|word| word[..1].to_owned() + &word[1..].to_lowercase()).collect(),
    };
    assert_eq!(format!("{:?}", found.outcome), outcome);
    assert_eq!(found.fault(), None);
}
