//! The switch.

use crate::{Mutant, Unknown};

/// Environment variable that chooses a variant for the whole process.
pub const VARIABLE: &str = "MILLPOND_MUTANT";

#[cfg(feature = "enabled")]
mod chosen {
    use std::cell::Cell;
    use std::sync::atomic::AtomicU8;

    /// No variant.
    pub(super) const NONE: u8 = u8::MAX;
    /// Of the process.
    pub(super) static PROCESS: AtomicU8 = AtomicU8::new(NONE);
    thread_local! {
        /// Of the thread.
        pub(super) static THREAD: Cell<u8> = const { Cell::new(NONE) };
    }
}

/// Says whether the code is to be wrong in this way; always `false` without the feature `enabled`.
#[cfg(feature = "enabled")]
#[inline]
#[must_use]
pub fn is(mutant: Mutant) -> bool {
    let wanted = mutant as u8;
    chosen::PROCESS.load(std::sync::atomic::Ordering::Relaxed) == wanted
        || chosen::THREAD.with(std::cell::Cell::get) == wanted
}

/// Says whether the code is to be wrong in this way; always `false` without the feature `enabled`.
#[cfg(not(feature = "enabled"))]
#[inline]
#[must_use]
pub const fn is(_: Mutant) -> bool {
    false
}

/// Chooses a variant for the calling thread, or none. Does nothing without the feature `enabled`.
pub fn choose(mutant: Option<Mutant>) {
    #[cfg(feature = "enabled")]
    chosen::THREAD.with(|thread| thread.set(mutant.map_or(chosen::NONE, |mutant| mutant as u8)));
    #[cfg(not(feature = "enabled"))]
    let _ = mutant;
}

/// Chooses what [`VARIABLE`] names for the whole process, and returns it.
///
/// # Errors
/// [`Unknown`] for a name that is not in the list or that only the simulator has; also for any name without the feature `enabled`, since a test that asks
/// for a variant and gets the right code would prove nothing.
pub fn from_environment() -> Result<Option<Mutant>, Unknown> {
    let Some(name) = std::env::var_os(VARIABLE) else { return Ok(None) };
    let name = name.to_string_lossy().into_owned();
    #[cfg(feature = "enabled")]
    {
        let mutant: Mutant = name.parse()?;
        if Mutant::SIMULATED.contains(&mutant) {
            return Err(Unknown::Simulated(mutant));
        }
        chosen::PROCESS.store(mutant as u8, std::sync::atomic::Ordering::Relaxed);
        Ok(Some(mutant))
    }
    #[cfg(not(feature = "enabled"))]
    Err(Unknown::NotCompiledIn(name))
}

#[cfg(all(test, feature = "enabled"))]
mod tests {
    use super::*;

    #[test]
    fn a_variant_holds_for_the_thread_that_chose_it() {
        choose(Some(Mutant::NoRedo));
        assert!(is(Mutant::NoRedo) && !is(Mutant::NoGate));
        let elsewhere = std::thread::spawn(|| is(Mutant::NoRedo)).join();
        assert_eq!(elsewhere.ok(), Some(false));
        choose(None);
        assert!(!is(Mutant::NoRedo));
    }

    #[test]
    fn every_name_is_read_back_and_an_unknown_one_names_the_others() {
        for mutant in Mutant::ALL {
            assert_eq!(mutant.name().parse(), Ok(*mutant));
        }
        let unknown = "no-such".parse::<Mutant>().map_err(|error| error.to_string());
        assert!(unknown.is_err_and(|text| text.contains("no-such") && text.contains("no-redo")));
    }
}
