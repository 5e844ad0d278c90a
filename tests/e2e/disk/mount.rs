//! Mounts of a test's own, taken away when it ends.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::keep_figure;

/// A mount; unmounted when dropped.
pub(super) struct Mount(PathBuf);

impl Mount {
    /// Mounts an empty file system in memory; `None`, counted and said, where this user may not mount anything.
    pub(super) fn tmpfs(test: &str, path: &Path, mebibytes: u32) -> Option<Self> {
        make(path);
        let size = format!("size={mebibytes}m");
        mounted(test, path, &["-t", "tmpfs", "-o", &size, "millpond-test"])
    }

    /// Lays a read-only view of a folder over it: new files and renames are refused, files that are open stay writable. A
    /// file system that turns read-only after an I/O error looks the same to whoever creates its next file.
    pub(super) fn read_only(test: &str, path: &Path) -> Option<Self> {
        make(path);
        // Made read-only aside, where nobody opens a file through it before it is.
        let aside = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let staged = mounted(test, aside.path(), &["--bind", &path.display().to_string()])?;
        run(&["-o", "remount,bind,ro", &aside.path().display().to_string()])
            .unwrap_or_else(|error| panic!("{error}"));
        let view = mounted(test, path, &["--bind", &aside.path().display().to_string()]);
        drop(staged);
        view
    }

    /// Makes a file system in memory larger.
    pub(super) fn grow(&self, mebibytes: u32) {
        let options = format!("remount,size={mebibytes}m");
        run(&["-o", &options, &self.0.display().to_string()]).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Leaves `kibibytes` of a file system in memory, by a file that takes the rest. A process that ends gives back what
    /// its files had reserved, so that the disk is to be filled again.
    pub(super) fn fill(&self, kibibytes: u64) {
        let free = free_kibibytes(&self.0);
        let filler = vec![0x5a; usize::try_from(free.saturating_sub(kibibytes) * 1024).unwrap_or_default()];
        let name = format!("filler-{free}");
        std::fs::write(self.0.join(name), filler).unwrap_or_else(|error| panic!("filler: {error}"));
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: a process that is ending may hold a file of it a moment longer.
        let done = Command::new("umount").arg("-l").arg(&self.0).status();
        if !done.is_ok_and(|status| status.success()) {
            eprintln!("{} stays mounted", self.0.display());
        }
    }
}

fn make(path: &Path) {
    std::fs::create_dir_all(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

fn mounted(test: &str, path: &Path, what: &[&str]) -> Option<Mount> {
    let mut arguments = what.to_vec();
    let place = path.display().to_string();
    arguments.push(&place);
    match run(&arguments) {
        Ok(()) => Some(Mount(path.to_owned())),
        Err(error) => {
            let why = format!("SKIPPED, only root may mount what it needs: {error}");
            keep_figure(test, &why);
            assert!(!is_root(), "root may mount: {error}");
            None
        }
    }
}

fn run(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("mount").args(arguments).output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}

/// Says whether the test runs as root, who may mount.
pub(super) fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn free_kibibytes(path: &Path) -> u64 {
    let output = Command::new("df").args(["-k", "--output=avail"]).arg(path).output();
    let output = output.unwrap_or_else(|error| panic!("df: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().nth(1).and_then(|line| line.trim().parse().ok()).unwrap_or_else(|| panic!("df: {text}"))
}
