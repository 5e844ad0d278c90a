//! Taking away what earlier demos of this folder left; nothing else is touched.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;

use super::database::Server;
use super::error::DemoError;
use super::folder::Folder;
use super::identity::RunId;
use super::offsets::client;
use super::plan::Plan;

/// How long the broker may take to answer.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Deletes topics, groups, databases and folders of earlier demos, and returns how many demos there were.
///
/// The folder goes last: a demo whose topics could not be deleted is found again by the next one.
pub(super) async fn remove_earlier(
    plan: &Plan,
    folder: &Folder,
    server: &mut Server,
) -> Result<usize, DemoError> {
    let earlier: Vec<RunId> = folder.earlier()?.into_iter().filter(|run| *run != plan.run).collect();
    if earlier.is_empty() {
        return Ok(0);
    }
    let failed = |source| {
        let brokers = plan.config.kafka.brokers.to_string();
        DemoError::Kafka { brokers, during: "deleting topics of earlier demos", source }
    };
    let admin: AdminClient<DefaultClientContext> = client(plan).create().map_err(failed)?;
    let metadata = admin.inner().fetch_metadata(None, TIMEOUT).map_err(failed)?;
    let topics = metadata.topics().iter().map(rdkafka::metadata::MetadataTopic::name);
    let topics: Vec<&str> = topics.filter(|topic| earlier.iter().any(|run| run.owns_topic(topic))).collect();
    let options = AdminOptions::new().request_timeout(Some(TIMEOUT));
    if !topics.is_empty() {
        admin.delete_topics(&topics, &options).await.map_err(failed)?;
    }
    let groups: Vec<String> =
        earlier.iter().flat_map(|run| [run.to_string(), format!("{run}.sink")]).collect();
    let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
    // A group that never was, or still waits for its member, is no reason to stop: its topics are gone.
    let _ = admin.delete_groups(&groups, &options).await.map_err(failed)?;
    for run in &earlier {
        server.drop(run).await?;
        folder.remove(run)?;
    }
    Ok(earlier.len())
}
