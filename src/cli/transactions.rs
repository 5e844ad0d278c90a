//! `millpond transactions show|end`: what is open in the application's topics, and the ends that its brokers lost.

use std::time::Duration;

use clap::{Args, Subcommand};
use rdkafka::consumer::{BaseConsumer, Consumer as _};

use super::output::{Format, counted, json, print, say, table, trimmed};
use super::reader::reader;
use super::{Exit, Failure, Global};
use crate::app::App;
use crate::config::Config;
use crate::transactions::{self, End, Found, SurveyError, Verdict};

/// Where a group's offsets are, pending ones included.
const OFFSETS: &str = "__consumer_offsets";
/// Longest wait for metadata.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
const NOTES: &str = "\
BECOMES: `ongoing` is ended by its coordinator, at its timeout at the latest. `commit` or `abort` is what its
coordinator had decided and takes for done, while this partition has no marker of it: `transactions end`
writes it. `unknown` is neither: nothing may be guessed; look at the producer first.
Brokers are asked directly for this, so they must have an unencrypted listener that needs no login.";
const END_NOTES: &str = "\
Writes only what a coordinator had decided and lost. Kafka's own `kafka-transactions.sh abort` always
aborts; where a commit was lost, that undoes it.

Exit codes: 0 nothing is lost, 5 ends are lost and --execute was not given.";

/// The commands about transactions.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum TransactionsCommand {
    /// Shows transactions that are open, and what becomes of them
    #[command(after_help = NOTES)]
    Show(ShowArgs),
    /// Shows which ends of transactions the brokers lost, and writes them with --execute
    #[command(after_help = END_NOTES)]
    End(EndArgs),
}

/// Arguments of `millpond transactions show`.
#[derive(Clone, Debug, Args)]
pub(super) struct ShowArgs {
    /// Application whose topics are looked at
    #[arg(long, value_enum, default_value_t = App::Accounts)]
    app: App,
    /// How to show them
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// Arguments of `millpond transactions end`.
#[derive(Clone, Debug, Args)]
pub(super) struct EndArgs {
    /// Application whose topics are looked at
    #[arg(long, value_enum, default_value_t = App::Accounts)]
    app: App,
    /// Writes the markers
    #[arg(long)]
    execute: bool,
    /// How to show them
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

pub(super) fn run(global: &Global, command: &TransactionsCommand) -> Result<Exit, Failure> {
    match command {
        TransactionsCommand::Show(args) => {
            let config = global.load()?.config;
            print(&shown(&found(&client(&config)?, &config, args.app)?, args.output)?)?;
            Ok(Exit::Ok)
        }
        TransactionsCommand::End(args) => end(global, args),
    }
}

fn end(global: &Global, args: &EndArgs) -> Result<Exit, Failure> {
    let config = global.load()?.config;
    let client = client(&config)?;
    let mut all = found(&client, &config, args.app)?;
    all.retain(|found| matches!(found.verdict, Verdict::Lost(_)));
    print(&shown(&all, args.output)?)?;
    if all.is_empty() {
        say("no end is lost");
        return Ok(Exit::Ok);
    }
    if !args.execute {
        say(&format!(
            "{} lost: `millpond transactions end --execute` writes them",
            counted(all.len(), "end")
        ));
        return Ok(Exit::Planned);
    }
    let mut written = 0;
    for found in &all {
        if let Verdict::Lost(how) = found.verdict {
            let done = transactions::end(&client, found, how).map_err(|error| failed(&config, &error))?;
            written += usize::from(done);
        }
    }
    say(&format!("{} written", counted(written as u64, "end")));
    Ok(Exit::Ok)
}

/// Returns a client that reads uncommitted, if brokers can be asked directly as well.
fn client(config: &Config) -> Result<BaseConsumer, Failure> {
    let protocol = config.kafka.consumer.iter().find(|(key, _)| *key == "security.protocol");
    if let Some((_, protocol)) = protocol.filter(|(_, protocol)| !protocol.eq_ignore_ascii_case("plaintext"))
    {
        let message = format!("brokers cannot be asked for their transactions through {protocol}");
        let help = "run this where an unencrypted listener that needs no login is reached, with \
                    --set kafka.brokers=host:port and without kafka.consumer.security.protocol";
        return Err(Failure::new(Exit::Precondition, "millpond::transactions::secured", message).help(help));
    }
    reader(config, "read_uncommitted").map_err(|error| failed(config, &SurveyError::Kafka(error)))
}

/// Returns what is open in the topics that the application writes to, and in its group's offsets.
fn found(client: &BaseConsumer, config: &Config, app: App) -> Result<Vec<Found>, Failure> {
    let topology = super::topology::of(app, config)?;
    // Before anybody has committed anything there are none.
    let offsets = client.fetch_metadata(Some(OFFSETS), ANSWER_TIMEOUT);
    let offsets = offsets.map_err(|error| failed(config, &SurveyError::Kafka(error)))?;
    let partitions = offsets.topics().iter().map(|topic| topic.partitions().len()).sum();
    let mut topics = vec![];
    if partitions > 0 {
        topics.push(OFFSETS.to_owned());
    }
    for sub in topology.sub_topologies() {
        topics.push(sub.changelog_topic(topology.app()));
        topics.extend(sub.sinks().iter().map(|sink| sink.topic.clone()));
    }
    topics.sort_unstable();
    topics.dedup();
    let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
    let prefix = format!("{}-", config.app.id);
    let found = transactions::survey(client, &topics, |id| id.starts_with(&prefix));
    let mut found = found.map_err(|error| failed(config, &error))?;
    // Where the group's offsets are; others' may be there as well.
    let own = offsets_partition(&config.app.id, partitions);
    found.retain(|found| found.topic != OFFSETS || found.partition == own);
    found.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    Ok(found)
}

/// Returns the partition of `__consumer_offsets` that a group's offsets are in: as Kafka, by Java's hash of the name.
fn offsets_partition(group: &str, partitions: usize) -> i32 {
    let hash =
        group.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    let positive = hash & i32::MAX;
    i32::try_from(partitions).map_or(0, |partitions| positive.checked_rem(partitions).unwrap_or(0))
}

fn failed(config: &Config, error: &SurveyError) -> Failure {
    let brokers = &config.kafka.brokers;
    let message = format!("the transactions on {brokers} cannot be looked at or ended: {error}");
    match error {
        SurveyError::Leaderless { .. } => Failure::new(Exit::Precondition, "millpond::transactions", message)
            .help("`millpond topics check` says what is wrong with the application's topics"),
        _ => Failure::new(Exit::Failed, "millpond::transactions", message).help(
            "brokers are asked directly, at the addresses that they advertise, without encryption and login; reading \
             __transaction_state and writing markers need rights on the cluster; a broker that has just started may \
             not answer yet",
        ),
    }
}

fn shown(all: &[Found], format: Format) -> Result<String, Failure> {
    if format == Format::Json {
        return json(&all);
    }
    let mut lines = table(&["TOPIC", ">PART", ">FROM", ">PRODUCER", ">EPOCH", "TRANSACTIONAL ID", "BECOMES"]);
    for found in all {
        lines.add_row([
            found.topic.clone(),
            found.partition.to_string(),
            found.first_offset.to_string(),
            found.producer_id.to_string(),
            found.producer_epoch.to_string(),
            found.transactional_id.clone().unwrap_or_else(|| "?".to_owned()),
            match found.verdict {
                Verdict::Ongoing => "ongoing",
                Verdict::Lost(End::Commit) => "commit",
                Verdict::Lost(End::Abort) => "abort",
                Verdict::Unknown => "unknown",
            }
            .to_owned(),
        ]);
    }
    Ok(trimmed(&lines))
}

#[cfg(test)]
mod tests {
    use super::offsets_partition;

    #[test]
    fn a_groups_partition_is_the_one_that_kafka_chooses() {
        // "abc".hashCode() is 96354, that of "polygenelubricants" is the least there is.
        assert_eq!(offsets_partition("abc", 50), 96_354 % 50);
        assert_eq!(offsets_partition("polygenelubricants", 50), 0);
        assert_eq!(offsets_partition("abc", 0), 0);
    }
}
