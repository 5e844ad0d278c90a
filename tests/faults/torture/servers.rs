//! The servers of all rounds.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use crate::cluster::{Cluster, Layout};
use crate::own_postgres::OwnPostgres;
use crate::support::World;

use super::fault::Kind;

/// The one broker.
const BROKER: i32 = 1;

/// Kafka and PostgreSQL: those of the test run, or own ones that may be broken.
pub(super) enum Servers {
    /// Those of the test run.
    Shared,
    /// A broker and a PostgreSQL that nothing else uses.
    Own(Box<Own>),
}

/// Servers that may be broken.
pub(super) struct Own {
    cluster: RefCell<Cluster>,
    postgres: OwnPostgres,
    /// When a broken server runs again.
    broker_back: Cell<Option<Back>>,
    postgres_back: Cell<Option<Instant>>,
}

/// How a broker comes back.
#[derive(Debug, Clone, Copy)]
enum Back {
    Restart(Instant),
    Thaw(Instant),
}

impl Servers {
    /// Starts own ones.
    pub(super) fn own() -> Self {
        let cluster = RefCell::new(Cluster::start(&Layout::one(&[])));
        let postgres = OwnPostgres::start();
        Self::Own(Box::new(Own {
            cluster,
            postgres,
            broker_back: Cell::default(),
            postgres_back: Cell::default(),
        }))
    }

    /// Returns the kinds of faults that these servers allow.
    pub(super) fn kinds(&self) -> Vec<Kind> {
        match self {
            Self::Shared => Kind::OF_PROCESSES.to_vec(),
            Self::Own(_) => [&Kind::OF_PROCESSES[..], &Kind::OF_SERVERS[..]].concat(),
        }
    }

    /// Makes an application on these servers.
    pub(super) fn world(&self, name: &str, settings: &[(&str, &str)]) -> World {
        match self {
            Self::Shared => World::with(name, settings),
            Self::Own(own) => {
                let brokers = own.cluster.borrow().addresses();
                World::on_servers((&brokers, &own.postgres.url()), name, settings)
            }
        }
    }

    /// Says whether Kafka answers.
    pub(super) fn is_up(&self) -> bool {
        match self {
            Self::Shared => true,
            Self::Own(own) => own.broker_back.get().is_none(),
        }
    }

    /// Breaks a server for about `time`; returns whether it was not broken already.
    pub(super) fn strike(&self, kind: Kind, time: Duration) -> bool {
        let Self::Own(own) = self else { panic!("{kind:?} needs servers of one's own") };
        let mut cluster = own.cluster.borrow_mut();
        let now = Instant::now();
        match kind {
            Kind::BrokerKilled if own.broker_back.get().is_none() => {
                cluster.kill(BROKER);
                own.broker_back.set(Some(Back::Restart(now + time / 8)));
            }
            Kind::BrokerPaused if own.broker_back.get().is_none() => {
                cluster.freeze(BROKER);
                own.broker_back.set(Some(Back::Thaw(now + time / 2)));
            }
            Kind::DatabaseKilled if own.postgres_back.get().is_none() => {
                own.postgres.kill();
                own.postgres_back.set(Some(now + time / 4));
            }
            _ => return false,
        }
        true
    }

    /// Lets a broken server run again whose time is over.
    pub(super) fn turn(&self) {
        self.revive(Instant::now());
    }

    /// Makes everything run again.
    pub(super) fn heal(&self) {
        self.revive(Instant::now() + Duration::from_secs(3600));
        if let Self::Own(own) = self {
            own.cluster.borrow_mut().wait_served();
        }
    }

    fn revive(&self, now: Instant) {
        let Self::Own(own) = self else { return };
        let mut cluster = own.cluster.borrow_mut();
        match own.broker_back.get() {
            Some(Back::Restart(at)) if now >= at => cluster.restart(BROKER),
            Some(Back::Thaw(at)) if now >= at => cluster.thaw(BROKER),
            _ => return self.revive_postgres(now),
        }
        own.broker_back.set(None);
        self.revive_postgres(now);
    }

    fn revive_postgres(&self, now: Instant) {
        let Self::Own(own) = self else { return };
        if own.postgres_back.get().is_some_and(|at| now >= at) {
            own.postgres.restart_after_kill();
            own.postgres_back.set(None);
        }
    }
}
