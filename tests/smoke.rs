use coulomb_gan::exec::{Backend, Store};
use coulomb_gan::numbers::Tensor;
use coulomb_gan::tape::Tape;
#[test]
fn mlp() {
    let mut t = Tape::new();
    let x = t.input("x", [37, 8]);
    let w = t.state("w", [50, 8]);
    let b = t.state("b", [50]);
    let h = t.matmul(x, false, w, true);
    let bb = t.broadcast(b, [37, 50]);
    let h = t.add(h, bb);
    let h = t.elu(h);
    let s = t.square(h);
    let loss = t.mean_all(s);
    let g = t.grad(loss, &[w, b]);
    let lr = t.scale(g[0], -0.1);
    let nw = t.add(w, lr);
    t.assign(w, nw);
    t.output("loss", loss);
    t.output("dw", g[0]);
    t.output("db", g[1]);
    println!("{}", t.explain());
    let mut store = Store::new();
    let f = |n: usize| (0..n).map(|i| ((i * 7919 % 101) as f32 - 50.0) / 60.0).collect::<Vec<_>>();
    store.insert("w", &Tensor::new([50, 8], f(400)).unwrap());
    store.insert("b", &Tensor::new([50], f(50)).unwrap());
    let mut s2 = store.clone();
    let mut a = Backend::Reference.compile(&t, &store).unwrap();
    let mut c = Backend::cpu(Some(2)).unwrap().compile(&t, &store).unwrap();
    a.write("x", &f(37 * 8));
    c.write("x", &f(37 * 8));
    for _ in 0..3 {
        a.run(&mut store);
        c.run(&mut s2);
        println!("{} {}", a.scalar("loss"), c.scalar("loss"));
        for n in ["dw", "db"] {
            let e = std::iter::zip(a.read(n), c.read(n)).map(|(a, b)| (a - b).abs()).fold(0.0f32, f32::max);
            assert!(e < 1e-6, "{n} {e}");
        }
    }
}
