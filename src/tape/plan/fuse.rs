//! Which operations run together.
//!
//! The unit is a *group*: at most one kernel, and pointwise operations over one number of elements. Merging
//! two groups is allowed unless it would close a cycle, i.e. unless some third group must run between them.
//!
//! Reading order: [`Graph::new`] (what depends on what), then the three passes in [`groups`].

use std::collections::{BTreeSet, HashSet};

use super::Index;
use crate::tape::{Op, Tape, Var};

/// Operations that run as one step, in tape order.
#[derive(Debug, Clone, Default)]
pub(super) struct Group {
    pub kernel: Option<Var>,
    pub pointwise: Vec<Var>,
}

/// The value that `v` is under another name: reshapes and stopped gradients move no numbers.
pub(super) fn root(tape: &Tape, v: Var) -> Var {
    match tape.node(v).op {
        Op::StopGradient(x) | Op::Reshape(x) => root(tape, x),
        _ => v,
    }
}

/// How a pointwise operation gets an operand.
pub(super) enum Operand {
    Constant(f64),
    Value(Var, Index),
}

/// Resolves an operand of a pointwise operation; simple broadcasts become an index pattern and cost nothing.
pub(super) fn operand(tape: &Tape, v: Var) -> Operand {
    let v = root(tape, v);
    match tape.node(v).op {
        Op::Constant(value) => Operand::Constant(value),
        Op::Broadcast(x) => match simple_broadcast(tape, v) {
            Some(index) => Operand::Value(root(tape, x), index),
            None => Operand::Value(v, Index::IDENTITY),
        },
        _ => Operand::Value(v, Index::IDENTITY),
    }
}

fn simple_broadcast(tape: &Tape, v: Var) -> Option<Index> {
    let Op::Broadcast(x) = tape.node(v).op else {
        return None;
    };
    Index::of_broadcast(tape.shape(x), tape.shape(v))
}

/// The values that `v` reads, and whether element `i` of `v` reads just element `i`.
pub(super) fn reads(tape: &Tape, v: Var) -> Vec<(Var, bool)> {
    let op = &tape.node(v).op;
    let operands = match op {
        Op::Assign { value, .. } => vec![*value],
        // A stored simple broadcast is a pointwise copy of its own pattern.
        Op::Broadcast(_) if simple_broadcast(tape, v).is_some() => vec![v],
        _ => op.operands(),
    };
    let pointwise = is_pointwise(tape, v);
    let found = operands.into_iter().filter_map(|x| match pointwise {
        false => Some((root(tape, x), false)),
        true => match operand(tape, x) {
            Operand::Constant(_) => None,
            Operand::Value(x, index) => Some((x, index == Index::IDENTITY)),
        },
    });
    found.collect()
}

fn is_pointwise(tape: &Tape, v: Var) -> bool {
    match tape.node(v).op {
        Op::Map(..) | Op::Zip(..) | Op::Assign { .. } => true,
        Op::Broadcast(_) => simple_broadcast(tape, v).is_some(),
        _ => false,
    }
}

fn is_source(tape: &Tape, v: Var) -> bool {
    matches!(
        tape.node(v).op,
        Op::Input { .. } | Op::State { .. } | Op::Constant(_)
    )
}

/// Live operations, their dependencies, and the group that each is in.
struct Graph<'a> {
    tape: &'a Tape,
    /// Live operations that compute something, in tape order.
    live: Vec<Var>,
    /// Operations that must run after operation `i`.
    after: Vec<Vec<Var>>,
    /// The group of operation `i`, named by one of its members.
    group: Vec<usize>,
    /// The operations of group `g`, in tape order.
    members: Vec<Vec<Var>>,
}

impl<'a> Graph<'a> {
    fn new(tape: &'a Tape) -> Self {
        let count = tape.nodes().len();
        let outputs = tape.outputs().iter().map(|&(_, v)| root(tape, v));
        let assigns = (0..count)
            .map(Var)
            .filter(|&v| matches!(tape.node(v).op, Op::Assign { .. }));
        let mut todo: Vec<Var> = outputs.chain(assigns).collect();
        let mut seen = vec![false; count];
        while let Some(v) = todo.pop() {
            if !std::mem::replace(&mut seen[v.0], true) && !is_source(tape, v) {
                todo.extend(reads(tape, v).into_iter().map(|(x, _)| x));
            }
        }
        let live: Vec<Var> = (0..count)
            .map(Var)
            .filter(|&v| seen[v.0] && !is_source(tape, v))
            .collect();
        let mut after = vec![vec![]; count];
        for &v in &live {
            for (x, _) in reads(tape, v) {
                after[x.0].push(v);
            }
        }
        // A run sees the values from before its assignments: whoever reads a state runs before it changes.
        for &v in &live {
            if let Op::Assign { state, .. } = tape.node(v).op {
                for reader in after[state.0].clone() {
                    if reader != v {
                        after[reader.0].push(v);
                    }
                }
            }
        }
        Self {
            tape,
            live,
            after,
            group: (0..count).collect(),
            members: (0..count).map(|v| vec![Var(v)]).collect(),
        }
    }

    /// The groups that must run directly after group `g`.
    fn next(&self, g: usize) -> BTreeSet<usize> {
        let members = self.members[g].iter();
        let next = members.flat_map(|v| self.after[v.0].iter().map(|w| self.group[w.0]));
        next.filter(|&other| other != g).collect()
    }

    /// Whether some third group must run after `first` and before `last`.
    fn something_between(&self, first: usize, last: usize) -> bool {
        let mut todo: Vec<usize> = self
            .next(first)
            .into_iter()
            .filter(|&g| g != last)
            .collect();
        let mut seen = HashSet::new();
        while let Some(g) = todo.pop() {
            if g == last {
                return true;
            }
            if seen.insert(g) {
                todo.extend(self.next(g));
            }
        }
        false
    }

    /// Whether a member reads elements of a state that another member has already overwritten.
    fn overwrites_what_it_reads(&self, a: usize, b: usize) -> bool {
        let members = || self.members[a].iter().chain(&self.members[b]);
        let assigned: Vec<Var> = members()
            .filter_map(|&v| match self.tape.node(v).op {
                Op::Assign { state, .. } => Some(state),
                _ => None,
            })
            .collect();
        members().any(|&v| {
            let mut reads = reads(self.tape, v).into_iter();
            reads.any(|(x, same_element)| !same_element && assigned.contains(&x))
        })
    }

    fn count(&self, g: usize) -> usize {
        self.tape.shape(self.members[g][0]).count()
    }

    fn has_kernel(&self, g: usize) -> bool {
        self.members[g].iter().any(|&v| !is_pointwise(self.tape, v))
    }

    /// Merges group `a` into group `b` if that is sound.
    fn try_merge(&mut self, a: usize, b: usize) {
        // Of equally many elements, each reads just its own, as registers demand; but nothing repeated is
        // still nothing, so values without elements stay apart.
        let sound = a != b
            && self.count(a) == self.count(b)
            && self.count(a) > 0
            && !self.something_between(a, b)
            && !self.something_between(b, a)
            && !self.overwrites_what_it_reads(a, b);
        if sound {
            let moved = std::mem::take(&mut self.members[a]);
            for v in &moved {
                self.group[v.0] = b;
            }
            self.members[b].extend(moved);
            self.members[b].sort();
        }
    }

    /// The one group that reads `v`; none if several do, or if `v` is an output.
    fn sole_reader(&self, v: Var) -> Option<usize> {
        let readers: BTreeSet<usize> = self.after[v.0]
            .iter()
            .filter(|&&w| reads(self.tape, w).iter().any(|&(x, _)| x == v))
            .map(|w| self.group[w.0])
            .collect();
        let is_output = (self.tape.outputs().iter()).any(|&(_, o)| root(self.tape, o) == v);
        match (readers.len(), is_output) {
            (1, false) => readers.first().copied(),
            _ => None,
        }
    }
}

/// The groups of a tape, in an order in which they can run.
pub(super) fn groups(tape: &Tape) -> Vec<Group> {
    let mut graph = Graph::new(tape);
    // Pass 1, backwards: a pointwise value with one reading group joins it and is never stored. Backwards,
    // so that cheap factors such as an activation's slope go to the gradient that uses them.
    for &v in graph.live.clone().iter().rev() {
        if let (true, Some(reader)) = (is_pointwise(tape, v), graph.sole_reader(v))
            && !graph.has_kernel(reader)
        {
            graph.try_merge(graph.group[v.0], reader);
        }
    }
    // Pass 2, forwards: values with several readers are stored; still compute them beside their readers.
    for &v in &graph.live.clone() {
        for reader in graph.after[v.0].clone() {
            let (a, b) = (graph.group[v.0], graph.group[reader.0]);
            if !graph.has_kernel(a) && !graph.has_kernel(b) {
                graph.try_merge(a, b);
            }
        }
    }
    // Pass 3: a kernel whose result only one pointwise group reads takes that group along.
    for &v in &graph.live.clone() {
        if let (false, Some(reader)) = (is_pointwise(tape, v), graph.sole_reader(v))
            && !graph.has_kernel(reader)
        {
            graph.try_merge(graph.group[v.0], reader);
        }
    }
    in_order(&graph)
}

/// Sorts the groups so that each runs after those it depends on; among those that can run, the one whose
/// first operation was recorded first.
fn in_order(graph: &Graph) -> Vec<Group> {
    let all: BTreeSet<usize> = graph.live.iter().map(|v| graph.group[v.0]).collect();
    let mut waiting_for = vec![0; graph.group.len()];
    for &g in &all {
        for next in graph.next(g) {
            waiting_for[next] += 1;
        }
    }
    let key = |g: usize| (graph.members[g][0], g);
    let mut ready: BTreeSet<_> = (all.iter().copied())
        .filter(|&g| waiting_for[g] == 0)
        .map(key)
        .collect();
    let mut order = vec![];
    while let Some((_, g)) = ready.pop_first() {
        let mut group = Group::default();
        for &v in &graph.members[g] {
            if is_pointwise(graph.tape, v) {
                group.pointwise.push(v);
            } else {
                group.kernel = Some(v);
            }
        }
        order.push(group);
        for next in graph.next(g) {
            waiting_for[next] -= 1;
            if waiting_for[next] == 0 {
                ready.insert(key(next));
            }
        }
    }
    assert_eq!(order.len(), all.len(), "the groups of a tape form no cycle");
    order
}
