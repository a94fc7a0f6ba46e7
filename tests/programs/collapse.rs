//! Appendix A.1: which objectives leave a region when another one has been lost.

use coulomb_gan::exec::Backend;
use coulomb_gan::train::collapse::Collapsed;
use coulomb_gan::train::method::Method;

/// What all of four seeds do.
#[test]
fn a_gan_stays_where_it_has_lost_a_region_and_a_coulomb_gan_leaves() {
    let backend = Backend::cpu(Some(1)).unwrap();
    let collapsed = Collapsed::new(2, &backend).unwrap();
    let course = |method| {
        let looks = collapsed
            .course(method, &backend, 20_000, &[0, 3000])
            .unwrap();
        let [start, end] = [looks[0].shares, looks[1].shares];
        assert!(start[0] > 0.7 && start[1] == 0.0, "{start:?}");
        end
    };
    let [kept, lost] = course(Method::Gan);
    assert!(kept > 0.9 && lost == 0.0, "{kept} {lost}");
    let [kept, lost] = course(Method::Coulomb);
    assert!(kept > 0.3 && lost > 0.2, "{kept} {lost}");
}
