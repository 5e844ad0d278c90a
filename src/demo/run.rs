//! The demo, step by step.

use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use indicatif::HumanCount;
use millpond_oracle::Report;
use rdkafka::consumer::{BaseConsumer, Consumer};
use tokio::runtime::{Builder, Runtime};

use super::args::DemoArgs;
use super::child::Processor;
use super::claims::{Limits, claims};
use super::cleanup::remove_earlier;
use super::database::Server;
use super::drive::drive;
use super::error::DemoError;
use super::folder::Folder;
use super::identity::RunId;
use super::interrupt::Interrupt;
use super::letters;
use super::offsets::{Probe, client};
use super::plan::Plan;
use super::proof::Proof;
use super::screen::Screen;
use super::watch::Watch;
use crate::app::App;
use crate::config::Config;
use crate::load::{Feed, Generator, Pace, Phase};

/// Exit code of a proof that does not hold.
const CHECK_FAILED: u8 = 3;

/// How long the brokers may take to answer at the start.
const PREFLIGHT: std::time::Duration = std::time::Duration::from_secs(10);

/// Runs the demo and prints its proof: progress on stderr, the table on stdout.
///
/// Everything of its own bears a new name, so that it runs again and again; earlier demos of the same `state.dir` are
/// taken away first. Exit code 0 when every invariant holds, 3 when one does not.
///
/// # Errors
/// When something is missing at the start, a part fails on the way, nothing moves any more, or the user interrupts.
/// Whatever was started has ended when this returns.
pub fn run(config: &Config, args: &DemoArgs) -> Result<ExitCode, DemoError> {
    let refused = |source| DemoError::System { what: "starting threads", source };
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(refused)?;
    let interrupt = {
        let _inside = runtime.enter();
        Interrupt::listen()?
    };
    let began = Instant::now();
    let mut screen = Screen::new(args.orders);
    let (plan, folder, mut server) = preflight(config, args, &runtime, &screen)?;
    if !args.keep {
        let removed = runtime.block_on(interrupt.or(remove_earlier(&plan, &folder, &mut server)))?;
        if removed > 0 {
            screen.say(&format!("earlier demos removed: {removed}"));
        }
    }
    prepare(&plan, &folder, &mut server, &runtime, &screen)?;
    interrupt.check()?;
    let (feed, generator) = fund(&plan, &screen, &interrupt)?;
    let probe = Probe::new(&plan, generator.options().partitions)?;
    let processor = Processor::start(&plan)?;
    screen.say(&format!("millpond run: pid {}, http://{}/status", processor.pid(), processor.address()));
    let watch = Watch::new(&plan, &probe, &mut screen, &interrupt, processor);
    let story = drive(watch, feed, generator)?;
    screen.say(&format!("written: {}", story.summary));

    let found = letters::count(&plan)?;
    let differences = letters::differences(&story.summary.dead_letters(), &found);
    let limits = Limits {
        orders: plan.orders,
        rate: plan.rate,
        session: plan.config.membership.session_timeout.get(),
        shutdown: plan.config.shutdown.timeout.get(),
    };
    let mut progress = |what: &str| screen.say(&format!("oracle: {what}"));
    let target = plan.oracle_target();
    let judged = runtime.block_on(interrupt.or(millpond_oracle::verify(&target, &mut progress)));
    let claims = claims(&story, &limits, &differences);
    let report = match judged {
        Ok(report) => report,
        Err(error) => {
            // What the demo itself saw helps to find out why the oracle saw nothing.
            println!("{}", Proof::new(claims, &Report { checks: Vec::new(), lag: 0 }).text());
            return Err(error);
        }
    };
    let proof = Proof::new(claims, &report);
    println!("{}", proof.text());
    let (holding, all) = proof.score();
    let verdict = if proof.holds() { "proven" } else { "NOT PROVEN" };
    screen.say(&format!(
        "{verdict}: {holding} of {all} invariants hold; {:.0} s in all; everything is kept in {}",
        began.elapsed().as_secs_f64(),
        plan.folder.display()
    ));
    Ok(if proof.holds() { ExitCode::SUCCESS } else { ExitCode::from(CHECK_FAILED) })
}

/// Finds out whether everything is there, before anything is made.
fn preflight(
    config: &Config,
    args: &DemoArgs,
    runtime: &Runtime,
    screen: &Screen,
) -> Result<(Plan, Folder, Server), DemoError> {
    let folder = Folder::open(&config.state.dir)?;
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let wall_ms = i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX);
    let (_, random, ..) = uuid::Uuid::new_v4().as_fields();
    let run = RunId::new(wall_ms, random);
    let path = folder.path_of(&run);
    let plan = Plan::new(config, args, run, &path, free_port()?)?;
    let brokers = plan.config.kafka.brokers.to_string();
    let asked = client(&plan).create::<BaseConsumer>();
    let metadata = asked.and_then(|asked| asked.fetch_metadata(None, PREFLIGHT)).map_err(|source| {
        DemoError::Kafka { brokers: brokers.clone(), during: "asking for its topics", source }
    })?;
    screen.say(&format!("Kafka: {brokers}, {} broker(s)", metadata.brokers().len()));
    let server = runtime.block_on(Server::connect(&plan.server_url))?;
    screen.say("PostgreSQL: connected");
    Ok((plan, folder, server))
}

/// Makes folder, database, schema and topics.
fn prepare(
    plan: &Plan,
    folder: &Folder,
    server: &mut Server,
    runtime: &Runtime,
    screen: &Screen,
) -> Result<(), DemoError> {
    folder.add(&plan.run)?;
    runtime.block_on(server.create(&plan.run))?;
    let schema = runtime.block_on(crate::sink::migrate(&plan.database_url))?;
    screen.say(&format!("database: {}, {} migrations", plan.run.database(), schema.applied.len()));
    let topology = App::Accounts.topology(&plan.config)?;
    let topics = crate::topics::ensure(&plan.config, &topology)?;
    screen.say(&format!("topics: {}.*, {} created", plan.run, topics.len()));
    Ok(())
}

/// Opens and funds the accounts.
fn fund(plan: &Plan, screen: &Screen, interrupt: &Interrupt) -> Result<(Feed, Generator), DemoError> {
    let target = plan.load_target();
    let mut generator = Generator::new(plan.options(target.partitions()?))?;
    let mut feed = Feed::new(&target, None)?;
    let began = Instant::now();
    // As fast as the broker takes it: over before an interrupt would matter.
    feed.run(&mut generator, Phase::Funding, Pace::UNLIMITED, &AtomicBool::new(false))?;
    interrupt.check()?;
    screen.say(&format!(
        "accounts: {} opened and funded in {:.1} s",
        HumanCount(plan.users),
        began.elapsed().as_secs_f64()
    ));
    Ok((feed, generator))
}

/// Returns a port that nobody listens on; between now and its use somebody else could take it.
fn free_port() -> Result<u16, DemoError> {
    let refused = |source| DemoError::System { what: "a free port", source };
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(refused)?;
    Ok(listener.local_addr().map_err(refused)?.port())
}
