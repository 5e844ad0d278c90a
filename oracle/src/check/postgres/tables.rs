//! All tables that the output topic feeds.

use super::accounts::{account, orders};
use super::events::{change, rejection};
use super::merge::Merge;
use crate::check::title::POSTGRES;
use crate::error::OracleError;
use crate::event::Output;
use crate::output::Identity;
use crate::postgres::Session;
use crate::report::{Check, Findings};
use crate::target::Target;

/// Compares the tables with the outputs below the sink's positions.
///
/// Leaves `outputs` sorted by their place in the output topic.
pub(crate) async fn check_postgres(
    target: &Target,
    session: &mut Session,
    outputs: &mut [Output],
) -> Result<Check, OracleError> {
    let mut findings = Findings::default();
    let topic = &target.topics.accounts;
    let names = target.topics.names();
    let identity = Identity::new(&target.app_id, names.clone());
    let offsets = session.offsets.clone();
    let is_sunk = |output: &&Output| {
        let of = |at: &&crate::postgres::SinkOffset| at.topic == *topic && at.partition == output.partition;
        offsets.iter().find(of).is_some_and(|at| output.offset < at.next_offset)
    };

    outputs.sort_unstable_by_key(|output| (output.user, output.partition, output.offset));
    let users = || outputs.chunk_by(|a, b| a.user == b.user);
    let expected = users().filter_map(|own| account(own.iter().filter(is_sunk)));
    let merge = Merge { table: "accounts", expected, start: 0, findings: &mut findings };
    let accounts = merge.run(|row| row.user, async |after| session.accounts(after).await).await?;
    let expected = users().flat_map(|own| orders(own.iter().filter(is_sunk)));
    let merge = Merge { table: "orders", expected, start: (0, 0), findings: &mut findings };
    let orders = merge.run(|row| row.key, async |after| session.orders(after).await).await?;

    outputs.sort_unstable_by_key(|output| (output.partition, output.offset));
    let sunk = || outputs.iter().filter(is_sunk);
    let expected = sunk().filter_map(|output| change(output, &identity, &names));
    let merge = Merge { table: "balance_changes", expected, start: (-1, -1), findings: &mut findings };
    let changes = merge.run(|row| row.at, async |after| session.changes(after).await).await?;
    let expected = sunk().filter_map(|output| rejection(output, &identity, &names));
    let merge = Merge { table: "command_rejections", expected, start: (-1, -1), findings: &mut findings };
    let rejections = merge.run(|row| row.at, async |after| session.rejections(after).await).await?;

    let figure =
        format!("{accounts} accounts, {orders} orders, {changes} balance changes, {rejections} rejections");
    Ok(findings.conclude(POSTGRES, figure))
}
