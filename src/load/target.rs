//! Where load is written to.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::error::LoadError;

/// How long the broker may take to answer.
const METADATA_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a topic that was created just now may be unknown to the broker that is asked.
const NEW_TOPIC_PATIENCE: Duration = Duration::from_secs(3);

/// How often it is looked for meanwhile.
const NEW_TOPIC_LOOK: Duration = Duration::from_millis(50);

/// The two input topics and how to reach them.
#[derive(Debug, Clone)]
pub struct Target {
    /// Bootstrap addresses.
    pub brokers: String,
    /// Further librdkafka keys: encryption, authentication.
    pub client: BTreeMap<String, String>,
    /// Topic of `order.events`.
    pub orders: String,
    /// Topic of `account.commands`.
    pub commands: String,
}

impl Target {
    /// Returns the settings that every client of this target begins with.
    #[must_use]
    pub fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (key, value) in &self.client {
            config.set(key, value);
        }
        config.set("bootstrap.servers", &self.brokers);
        config
    }

    /// Asks the broker for the number of partitions that both topics have.
    ///
    /// # Errors
    /// When the broker does not answer, a topic is missing, or the two differ.
    pub fn partitions(&self) -> Result<u32, LoadError> {
        let unreachable = |source| LoadError::Unreachable { brokers: self.brokers.clone(), source };
        // A consumer, since a producer's question may create the topic.
        let client: BaseConsumer = self.client_config().create().map_err(unreachable)?;
        let count = |topic: &str| {
            let patience = Instant::now() + NEW_TOPIC_PATIENCE;
            loop {
                let metadata = client.fetch_metadata(Some(topic), METADATA_TIMEOUT).map_err(unreachable)?;
                let count = metadata.topics().first().map_or(0, |found| found.partitions().len());
                match u32::try_from(count) {
                    Ok(count) if count > 0 => return Ok(count),
                    _ if Instant::now() < patience => std::thread::sleep(NEW_TOPIC_LOOK),
                    _ => {
                        return Err(LoadError::NoTopic { topic: topic.to_owned() });
                    }
                }
            }
        };
        let (orders_partitions, commands_partitions) = (count(&self.orders)?, count(&self.commands)?);
        if orders_partitions != commands_partitions {
            return Err(LoadError::NotCoPartitioned {
                orders: self.orders.clone(),
                orders_partitions,
                commands: self.commands.clone(),
                commands_partitions,
            });
        }
        Ok(orders_partitions)
    }
}
