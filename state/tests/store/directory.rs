//! The state directory: one process, one application, one identity.

use std::fs;
use std::path::Path;
use std::time::Duration;

use millpond_state::{Directory, DirectoryError};
use millpond_topology::TaskId;

use crate::child::{self, Role};

fn instance_json(root: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(root.join("instance.json")).unwrap()).unwrap()
}

#[test]
fn a_second_process_is_refused_with_pid_and_host_of_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let running = child::start(Role::Hold, dir.path(), 0);
    running.await_first_step();
    let owner = running.pid();
    let error = Directory::open(dir.path(), "app", None).unwrap_err();
    let DirectoryError::Locked { pid, host, .. } = &error else { panic!("{error}") };
    assert_eq!(pid, &owner.to_string());
    assert!(!host.is_empty() && host != "an unknown host", "{error}");
    assert!(error.to_string().contains("state.dir"), "the cure is named: {error}");
    let killed = std::time::Instant::now();
    // The first step was already seen: kill at once.
    running.kill();
    Directory::open(dir.path(), "app", None).unwrap();
    assert!(killed.elapsed() < Duration::from_secs(5), "the lock dies with its owner");
}

#[test]
fn the_lock_names_this_process_and_goes_with_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let first = Directory::open(dir.path(), "app", None).unwrap();
    let lock: serde_json::Value =
        serde_json::from_slice(&fs::read(dir.path().join("lock")).unwrap()).unwrap();
    assert_eq!(lock["pid"], std::process::id());
    assert!(lock["host"].is_string());
    assert!(matches!(Directory::open(dir.path(), "app", None), Err(DirectoryError::Locked { .. })));
    drop(first);
    Directory::open(dir.path(), "app", None).unwrap();
}

#[test]
fn a_directory_that_is_deleted_or_replaced_is_noticed_by_its_owner() {
    let parent = tempfile::tempdir().unwrap();
    let root = parent.path().join("app");
    let first = Directory::open(&root, "app", None).unwrap();
    first.check_in_place().unwrap();
    fs::rename(&root, parent.path().join("elsewhere")).unwrap();
    let gone = first.check_in_place().unwrap_err();
    assert!(matches!(gone, DirectoryError::Gone { .. }), "{gone}");
    assert!(
        gone.to_string().contains(root.to_str().unwrap()) && gone.to_string().contains("start again"),
        "{gone}"
    );
    // Another process finds no lock there.
    let second = Directory::open(&root, "app", None).unwrap();
    second.check_in_place().unwrap();
    assert!(first.check_in_place().is_err(), "a new directory of the same name is another one");
}

#[test]
fn the_identity_is_kept_and_a_configured_one_wins() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("data/app");
    let made = Directory::open(&root, "app", None).unwrap().instance_id().to_owned();
    assert_eq!(made.len(), 36, "a UUID: {made}");
    assert_eq!(Directory::open(&root, "app", None).unwrap().instance_id(), made);
    assert_eq!(Directory::open(&root, "app", Some("pod-1")).unwrap().instance_id(), "pod-1");
    let json = instance_json(&root);
    let want = serde_json::json!({
        "formatVersion": 1, "app": "app", "instanceId": "pod-1", "transactionalIds": []
    });
    assert_eq!(json, want);
    for wrong in ["", "a;b", "a b", &"x".repeat(101)] {
        let error = Directory::open(&root, "app", Some(wrong)).unwrap_err();
        assert!(matches!(error, DirectoryError::InstanceId { .. }), "{wrong}: {error}");
    }
}

#[test]
fn transactional_ids_are_durable_once_noted_and_survive_a_new_identity() {
    let dir = tempfile::tempdir().unwrap();
    let mut directory = Directory::open(dir.path(), "app", Some("one")).unwrap();
    for id in ["app-one-0-a", "app-one-0-b", "app-one-0-a"] {
        directory.record_transactional_id(id).unwrap();
    }
    assert_eq!(
        instance_json(dir.path())["transactionalIds"],
        serde_json::json!(["app-one-0-a", "app-one-0-b"])
    );
    drop(directory);
    let mut directory = Directory::open(dir.path(), "app", Some("two")).unwrap();
    directory.record_transactional_id("app-two-0-a").unwrap();
    assert_eq!(directory.transactional_ids(), ["app-one-0-a", "app-one-0-b", "app-two-0-a"]);
    assert!(!dir.path().join("instance.json.tmp").exists());
}

#[test]
fn an_id_that_cannot_be_written_is_not_noted() {
    let dir = tempfile::tempdir().unwrap();
    let mut directory = Directory::open(dir.path(), "app", None).unwrap();
    // A directory in the temporary file's place: it cannot be created.
    fs::create_dir(dir.path().join("instance.json.tmp")).unwrap();
    let error = directory.record_transactional_id("x").unwrap_err();
    assert!(matches!(error, DirectoryError::Unwritable { .. }), "{error}");
    assert!(directory.transactional_ids().is_empty());
    fs::remove_dir(dir.path().join("instance.json.tmp")).unwrap();
    directory.record_transactional_id("x").unwrap();
}

#[test]
fn what_is_not_ours_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    drop(Directory::open(dir.path(), "app", None).unwrap());
    let error = Directory::open(dir.path(), "other", None).unwrap_err();
    assert!(matches!(&error, DirectoryError::OtherApp { found, .. } if found == "app"), "{error}");
    let path = dir.path().join("instance.json");
    let newer = br#"{"formatVersion": 2, "whatever": true}"#;
    fs::write(&path, newer).unwrap();
    let error = Directory::open(dir.path(), "app", None).unwrap_err();
    assert!(matches!(error, DirectoryError::Version { found: 2, known: 1, .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap(), newer);
    for rubbish in ["", "{", "[]", r#"{"formatVersion": 1}"#] {
        fs::write(&path, rubbish).unwrap();
        let error = Directory::open(dir.path(), "app", None).unwrap_err();
        assert!(matches!(error, DirectoryError::Malformed { .. }), "{rubbish}: {error}");
        assert_eq!(fs::read(&path).unwrap(), rubbish.as_bytes());
    }
    let file = dir.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = Directory::open(&file, "app", None).unwrap_err();
    assert!(matches!(error, DirectoryError::Unwritable { .. }), "{error}");
}

#[test]
fn tasks_on_disk_are_those_with_a_database() {
    let dir = tempfile::tempdir().unwrap();
    let directory = Directory::open(dir.path(), "app", None).unwrap();
    assert_eq!(directory.tasks_on_disk().unwrap(), []);
    for name in ["0_10/db", "0_3/db", "1_0/db", "0_4", "0_5/db.aside-1", "other/db"] {
        fs::create_dir_all(dir.path().join(name)).unwrap();
    }
    let want = [TaskId::new(0, 3), TaskId::new(0, 10), TaskId::new(1, 0)];
    assert_eq!(directory.tasks_on_disk().unwrap(), want);
    assert_eq!(directory.task_dir(TaskId::new(0, 3)), dir.path().join("0_3"));
}

#[test]
fn a_re_created_output_topic_is_refused_and_the_first_id_stays_noted() {
    let dir = tempfile::tempdir().unwrap();
    let mut directory = Directory::open(dir.path(), "app", Some("one")).unwrap();
    directory.record_output_topics([("a", [1; 16]), ("b", [2; 16])]).unwrap();
    directory.record_output_topics([("b", [2; 16]), ("c", [3; 16])]).unwrap();
    let noted = instance_json(dir.path());
    assert_eq!(noted["outputTopics"].as_object().map(|topics| topics.len()), Some(3), "{noted}");
    let error = directory.record_output_topics([("d", [4; 16]), ("b", [9; 16])]).unwrap_err();
    assert!(matches!(&error, DirectoryError::OutputRecreated { topic, .. } if topic == "b"), "{error}");
    assert!(error.to_string().contains("instance.json"), "{error}");
    drop(directory);
    assert_eq!(instance_json(dir.path()), noted, "nothing is noted by a refusal");
    let mut again = Directory::open(dir.path(), "app", None).unwrap();
    assert!(again.record_output_topics([("a", [9; 16])]).is_err(), "the note outlives the process");
}
