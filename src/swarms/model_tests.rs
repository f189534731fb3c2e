//! The state against a naive model of itself: clients with and without keys, at several addresses,
//! seen and claimed.

use super::audience::{Place, View};
use super::fixture::*;
use super::group::Kind;
use super::model::{Model, check_picked, who};
use super::selection::Selection;
use super::store::{Identity, Swarms};
use crate::announce::{Endpoint, PeerId};
use proptest::prelude::*;
use std::net::IpAddr;
use std::time::Duration;

#[derive(Clone, Debug)]
enum Step {
    Put { swarm: u8, client: Client },
    Leave { swarm: u8, who: Identity },
    Wait { tenths: u16 },
}

const ADDRESSES: [&str; 7] = [
    "192.0.2.1",
    "192.168.0.1",
    "127.0.0.1",
    "172.17.0.2",
    "2001:db8::1",
    "fd00::1",
    "::1",
];

fn an_endpoint() -> impl Strategy<Value = Endpoint> {
    (0..ADDRESSES.len(), 1..4_u16).prop_map(|(n, port)| endpoint(ADDRESSES[n], port))
}

/// Seldom the same address of two clients, often another of the same client.
fn a_client() -> impl Strategy<Value = Client> {
    let who = (
        1..4_u8,
        prop::option::weighted(0.8, 1..3_u32),
        an_endpoint(),
    );
    let said = any::<[bool; 3]>();
    let claims = prop::collection::vec(an_endpoint(), 0..3);
    (who, said, claims).prop_map(|((peer_id, key, source), said, claims)| {
        let mut client = at(source);
        client.who = Identity {
            peer_id: PeerId([peer_id; 20]),
            key,
            source,
        };
        [client.is_complete, client.has_transferred, client.completed] = said;
        for claim in claims {
            if client.addresses.iter().all(|a| a.endpoint != claim) {
                client = client.claiming(claim);
            }
        }
        client
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..2_u8, a_client()).prop_map(|(swarm, client)| Step::Put { swarm, client }),
        3 => (0..2_u8, a_client()).prop_map(|(swarm, c)| Step::Leave { swarm, who: c.who }),
        1 => (0..3_000_u16).prop_map(|tenths| Step::Wait { tenths }),
    ]
}

fn a_view() -> impl Strategy<Value = View> {
    let ip = |text: &str| Some(text.parse::<IpAddr>().unwrap());
    let machine = prop::sample::select(vec![None, ip("198.51.100.1"), ip("2001:db8::99")]);
    (0..4_usize, machine, any::<bool>()).prop_map(|(from, machine_as, knows_lan)| {
        let from = [
            Place::Loopback,
            Place::Container,
            Place::Lan,
            Place::Internet,
        ][from];
        View {
            from,
            machine_as: machine_as.filter(|_| from != Place::Loopback),
            lan_as: knows_lan.then_some("198.51.100.2".parse().unwrap()),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_long_random_life_gives_what_a_naive_model_gives(
        steps in prop::collection::vec(step(), 1..300),
        views in prop::collection::vec(a_view(), 5),
        (both_families, is_ipv6) in any::<(bool, bool)>(),
        most in 0..30_usize,
    ) {
        let mut swarms = Swarms::new(LIFE, BOUNDS, 3);
        let mut models = [Model::default(), Model::default()];
        let mut now = Duration::ZERO;
        for (i, step) in steps.iter().enumerate() {
            let mut asker = None;
            match step {
                Step::Put { swarm, client } => {
                    let model = &mut models[usize::from(*swarm)];
                    let is_first = model.records.is_empty();
                    let stored = swarms.put(hash(*swarm), &client.announced(), now);
                    let (entry, was_first) = stored.unwrap().unwrap();
                    prop_assert_eq!(was_first, is_first);
                    model.put(&client.announced(), now, usize::MAX / 2);
                    asker = Some((*swarm, who(&client.who), entry));
                }
                Step::Leave { swarm, who: leaving } => {
                    let model = &mut models[usize::from(*swarm)];
                    let is_known = !model.records.is_empty();
                    let ended = swarms.remove(hash(*swarm), leaving);
                    model.forget(|_, record| record.who == who(leaving));
                    prop_assert_eq!(ended.is_some(), is_known && model.records.is_empty());
                }
                Step::Wait { tenths } => {
                    now += Duration::from_millis(u64::from(*tenths) * 100);
                    swarms.sweep(now, usize::MAX, &mut Vec::new());
                    models.iter_mut().for_each(|m| m.forget(|_, r| now - r.last > LIFE));
                }
            }
            check_that_it_all_fits_together(&swarms);
            for (swarm, model) in (0..).zip(&models) {
                prop_assert_eq!(swarms.counts(hash(swarm)), model.counts());
            }
            let stored = models.iter().map(|model| model.records.len()).sum::<usize>();
            prop_assert_eq!(swarms.peers.len() as usize, stored);

            let kind = [Kind::Leecher, Kind::PerhapsSeeder, Kind::Seeder][i % 3];
            let outside = swarms.outside(hash(0), kind).map(|entry| (0, None, entry));
            let (swarm, asker, entry) = match asker.map(|(s, who, e)| (s, Some(who), e)).or(outside) {
                Some(asker) => asker,
                None => continue,
            };
            let model = &models[usize::from(swarm)];
            let kind = asker.map_or(kind, |who| model.clients[&who].kind());
            let view = views[i % views.len()];
            let selection = Selection { view, is_ipv6, both_families, most, with_peer_ids: false, one_by_one: false };
            let mut got = Vec::new();
            swarms.pick(entry, &selection, now, &mut got);
            let got = got.into_iter().map(|peer| peer.endpoint).collect();
            check_picked(got, model.visible(asker, kind, &selection), most);
        }
    }
}
