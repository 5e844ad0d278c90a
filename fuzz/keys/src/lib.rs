//! Stands in for librdkafka's opinion of its own keys while the configuration is fuzzed.
//!
//! The real one opens the files and loads the plugins that its keys name; names that a fuzzer made up must not
//! reach it. Keys of other characters than librdkafka's are refused, so that both answers occur.

/// Keys and values, as `rdkafka::ClientConfig`.
#[derive(Debug, Default)]
pub struct ClientConfig(Vec<(String, String)>);

/// What `rdkafka` returns for a configuration that it accepts.
#[derive(Debug)]
pub struct NativeClientConfig;

/// As much of `rdkafka::error` as the configuration reads.
pub mod error {
    /// Why a key or a value is refused.
    #[derive(Debug)]
    #[non_exhaustive]
    pub enum KafkaError {
        /// Result code, description, key, value.
        ClientConfig((), String, String, String),
        /// Anything else.
        Other,
    }
}

impl ClientConfig {
    /// Creates an empty configuration.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) -> &mut Self {
        self.0.push((key.into(), value.into()));
        self
    }

    /// Checks the keys.
    ///
    /// # Errors
    /// A key that has other characters than small letters and dots.
    pub fn create_native_config(&self) -> Result<NativeClientConfig, error::KafkaError> {
        let is_plain = |key: &str| key.bytes().all(|byte| byte == b'.' || byte.is_ascii_lowercase());
        match self.0.iter().find(|(key, _)| !is_plain(key)) {
            None => Ok(NativeClientConfig),
            Some((key, value)) => {
                let why = format!("No such configuration property: \"{key}\"");
                Err(error::KafkaError::ClientConfig((), why, key.clone(), value.clone()))
            }
        }
    }
}
