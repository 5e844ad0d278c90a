//! Scans: the overlay merged over the base, in byte order, within their bounds.

use crate::support::Bench;

fn said(bench: &mut Bench) -> Vec<String> {
    let all = bench.outputs("out").into_iter();
    all.map(|(_, value)| value.split_once(' ').unwrap_or_default().1.to_owned()).collect()
}

#[test]
fn own_writes_replace_hide_and_interleave_with_committed_rows() {
    let mut bench = Bench::fresh();
    bench.left("put 1 1 10 1; put 1 1 20 2; put 1 1 30 3; put 1 2 10 9; put 2 1 15 8");
    bench.commit();
    bench.left("put 1 1 5 50; put 1 1 20 52; del 1 1 30; put 1 1 40 54; del 1 1 50");
    bench.left("prefix 1 1; first 1 1; prefix 1 2; prefix 1 3; range 1 1 10 1 40");
    bench.left("range 1 1 11 2 11; range 1 2 0 1 0");
    let want = [
        "1.5=50,1.10=1,1.20=52,1.40=54",
        "1.5=50",
        "2.10=9",
        "",
        "1.10=1,1.20=52",
        "1.20=52,1.40=54,2.10=9",
        "",
    ];
    assert_eq!(said(&mut bench), want);
}

#[test]
fn a_scan_does_not_leave_its_store_or_prefix() {
    let mut bench = Bench::fresh();
    let max = u64::MAX;
    bench.left(&format!(
        "put 1 {max} {max} 1; put 2 0 0 2; put 2 {max} {max} 3; put 1 255 0 4; put 1 256 0 5"
    ));
    for _ in 0..2 {
        bench.left(&format!("prefix 1 {max}; prefix 2 {max}; prefix 1 255; range 1 0 0 {max} {max}"));
        let want =
            [format!("{max}.{max}=1"), format!("{max}.{max}=3"), "255.0=4".into(), "255.0=4,256.0=5".into()];
        assert_eq!(said(&mut bench)[..], want, "once from the overlay, once from the base");
        bench.commit();
    }
}

#[test]
fn what_a_rejected_record_wrote_is_not_in_a_scan() {
    let mut bench = Bench::fresh();
    bench.left("put 1 1 1 1; put 1 1 2 2");
    bench.commit();
    bench.left("del 1 1 1; put 1 1 2 9; put 1 1 3 3; prefix 1 1; dead");
    bench.left("prefix 1 1");
    assert_eq!(said(&mut bench), ["1.1=1,1.2=2"]);
}

#[test]
fn an_unreadable_row_fails_the_scan() {
    let mut bench = Bench::fresh();
    bench.left("put 1 1 1 1");
    bench.commit();
    bench.state.apply(&[0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 7], Some(&[1]));
    bench.push(0, crate::support::record(5, "k", "prefix 1 1"));
    let failed = bench.task.process(bench.now, usize::MAX).unwrap_err().to_string();
    assert!(failed.contains("store 1: malformed u64 pair key"), "{failed}");
}
