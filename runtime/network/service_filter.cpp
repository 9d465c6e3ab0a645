#include "runtime/network/service_filter.h"

#include <linux/rtnetlink.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstddef>

#include "control/base/text.h"
#include "runtime/network/network_namespace.h"

namespace minik::runtime {

namespace {

constexpr const char* kTable = "minik";
constexpr const char* kServices = "services";
constexpr const char* kEgress = "egress";
constexpr const char* kDestinations = "destinations";
constexpr const char* kNodePorts = "node-ports";
constexpr const char* kSelf = "hairpin";

// The usual places: before routing for destinations, after it for sources.
constexpr int32_t kDestinationPriority = -100;
constexpr int32_t kFilterPriority = 0;
constexpr int32_t kSourcePriority = 100;

// Offsets in the IPv4 header, and of the destination port in TCP's, UDP's and SCTP's.
constexpr uint32_t kSourceOffset = 12;
constexpr uint32_t kDestinationOffset = 16;
constexpr uint32_t kPortOffset = 2;

std::string destination_key(uint32_t address, const FilterRule& rule) {
  return nft_slot(address) + nft_slot_u8(rule.protocol) + nft_slot_u16(rule.port);
}

std::string node_port_key(const FilterRule& rule) {
  return nft_slot_u8(rule.protocol) + nft_slot_u16(rule.node_port);
}

std::string chain_of(std::string_view rule) {
  return cat("rule/", rule);
}

uint32_t mask_of(int prefix) {
  return prefix == 0 ? 0 : ~uint32_t{0} << (32 - prefix);
}

NftRule& match_destination(NftRule& rule, Ipv4Range range, NftCompare how) {
  return rule.payload(NftHeader::kNetwork, kDestinationOffset, 4, 0)
      .mask(0, nft_slot(mask_of(range.prefix)))
      .compare(0, how, nft_slot(range.address & mask_of(range.prefix)));
}

std::string machine_order(uint32_t value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

void add_choice(NftBatch& batch, const FilterRule& rule) {
  std::vector<std::string> backends;
  for (const auto& backend : rule.backends)
    backends.push_back(nft_slot(backend.address) + nft_slot_u16(backend.port));
  const auto count = static_cast<uint32_t>(backends.size());
  const uint32_t list = batch.add_list(NftType::kAddressPort, 8, backends);
  batch.add_rule(chain_of(rule.name), [&](NftRule& r) {
    // A translation to a port needs to know the protocol.
    r.protocol(0).compare(0, NftCompare::kEqual, std::string(1, static_cast<char>(rule.protocol)));
    if (rule.client_affinity) {
      r.payload(NftHeader::kNetwork, kSourceOffset, 4, 1).hash_below(1, 4, 0, count);
    } else {
      r.random_below(0, count);
    }
    r.look_up(kNftList, list, 0, 0).translate_destination(0, 1);
  });
}

// TCP is refused by a reset: the kernel limits the rate of ICMP errors, and takes one that arrives
// while connect() holds its socket for a hint only.
NftRule& refuse(NftRule& rule, uint8_t protocol) {
  return protocol == IPPROTO_TCP ? rule.reset_connection() : rule.reject_unreachable_port();
}

void add_chain_rules(NftBatch& batch, const FilterRule& rule) {
  if (rule.backends.empty()) {
    batch.add_rule(chain_of(rule.name), [&](NftRule& r) { refuse(r, rule.protocol); });
  } else {
    add_choice(batch, rule);
  }
}

}  // namespace

ServiceFilter::ServiceFilter(ServiceFilterConfig config, std::unique_ptr<NftSocket> socket)
    : config_(config), socket_(std::move(socket)) {}

Result<std::unique_ptr<ServiceFilter>> ServiceFilter::open(const std::string& namespace_path,
                                                           ServiceFilterConfig config) {
  std::unique_ptr<NftSocket> socket;
  MINIK_TRY(run_in_network_namespace(namespace_path, [&]() -> Status {
    MINIK_ASSIGN(socket, NftSocket::open());
    return {};
  }));
  std::unique_ptr<ServiceFilter> filter(new ServiceFilter(config, std::move(socket)));
  auto installed = filter->replace({});
  if (!installed.ok()) {
    return std::move(installed).error().in(
        "Services need the kernel's nf_tables with nat, numgen, hash, fib, masq, redir and reject");
  }
  return filter;
}

void ServiceFilter::add_frame(NftBatch& batch) const {
  batch.replace_table().add_chain(kServices).add_chain(kEgress);
  batch.add_nat_chain("prerouting", NftHook::kPrerouting, kDestinationPriority)
      .add_nat_chain("output", NftHook::kOutput, kDestinationPriority)
      .add_nat_chain("postrouting", NftHook::kPostrouting, kSourcePriority);
  batch.add_verdict_map(kDestinations, NftType::kAddressProtocolPort, 12)
      .add_verdict_map(kNodePorts, NftType::kProtocolPort, 8)
      .add_set(kSelf, NftType::kAddressAddress, 8);
  batch.add_rule(kServices, [](NftRule& r) {
    r.payload(NftHeader::kNetwork, kDestinationOffset, 4, 0)
        .protocol(1)
        .payload(NftHeader::kTransport, kPortOffset, 2, 2)
        .go_by(kDestinations, 0);
  });
  batch.add_rule(kServices, [](NftRule& r) {
    r.destination_kind(0)
        .compare(0, NftCompare::kEqual, machine_order(RTN_LOCAL))
        .protocol(0)
        .payload(NftHeader::kTransport, kPortOffset, 2, 1)
        .go_by(kNodePorts, 0);
  });
  add_refusal_of_unknown(batch);
  add_egress(batch);
  add_refusal_of_gone(batch);
  for (const auto* chain : {"prerouting", "output"}) {
    batch.add_rule(chain, [](NftRule& r) { r.verdict(NftVerdict::kJump, kServices); });
    batch.add_rule(chain, [](NftRule& r) { r.verdict(NftVerdict::kJump, kEgress); });
  }
  batch.add_rule("postrouting", [](NftRule& r) {
    r.was_translated(0)
        .compare(0, NftCompare::kNotEqual, machine_order(0))
        .payload(NftHeader::kNetwork, kSourceOffset, 4, 0)
        .payload(NftHeader::kNetwork, kDestinationOffset, 4, 1)
        .find(kSelf, 0, 0)
        .masquerade();
  });
}

// Without this a typo in a port is a connection that hangs instead of one that is refused.
void ServiceFilter::add_refusal_of_unknown(NftBatch& batch) const {
  for (const auto& [how, protocol] : {std::pair{NftCompare::kEqual, IPPROTO_TCP},
                                      std::pair{NftCompare::kNotEqual, IPPROTO_UDP}}) {
    batch.add_rule(kServices, [&, how = how, protocol = protocol](NftRule& r) {
      match_destination(r, config_.services, NftCompare::kEqual)
          .payload(NftHeader::kNetwork, kDestinationOffset, 4, 0)
          .compare(0, NftCompare::kNotEqual, nft_slot(config_.dns_address))
          .protocol(0)
          .compare(0, how, std::string(1, static_cast<char>(IPPROTO_TCP)));
      refuse(r, protocol);
    });
  }
}

// Connections to a pod that has gone, or that were led to one a moment ago.
void ServiceFilter::add_refusal_of_gone(NftBatch& batch) const {
  batch.add_filter_chain("gone", NftHook::kPrerouting, kFilterPriority)
      .add_rule("gone", [&](NftRule& r) {
        match_destination(r, config_.pods, NftCompare::kEqual)
            .destination_kind(0)
            .compare(0, NftCompare::kNotEqual, machine_order(RTN_LOCAL))
            .way_out(0)
            .compare(0, NftCompare::kEqual, machine_order(0))
            .protocol(0)
            .compare(0, NftCompare::kEqual, std::string(1, static_cast<char>(IPPROTO_TCP)))
            .reset_connection();
      });
}

void ServiceFilter::add_egress(NftBatch& batch) const {
  if (config_.egress_port == 0) return;
  batch.add_rule(kEgress, [&](NftRule& r) {
    match_destination(r, config_.pods, NftCompare::kNotEqual)
        .destination_kind(0)
        .compare(0, NftCompare::kNotEqual, machine_order(RTN_LOCAL))
        .protocol(0)
        .compare(0, NftCompare::kEqual, std::string(1, static_cast<char>(IPPROTO_TCP)))
        .number(0, nft_slot_u16(config_.egress_port).substr(0, 2))
        .redirect(0);
  });
}

void ServiceFilter::claim(const FilterRule& rule) {
  for (const uint32_t address : rule.addresses)
    destinations_[destination_key(address, rule)].insert(rule.name);
  if (rule.node_port != 0) node_ports_[node_port_key(rule)].insert(rule.name);
  for (const auto& backend : rule.backends) ++backends_[backend.address];
  rules_[rule.name] = rule;
}

void ServiceFilter::unclaim(const FilterRule& rule) {
  const auto drop = [&](Claims& claims, const std::string& key) {
    claims[key].erase(rule.name);
    if (claims[key].empty()) claims.erase(key);
  };
  for (const uint32_t address : rule.addresses) drop(destinations_, destination_key(address, rule));
  if (rule.node_port != 0) drop(node_ports_, node_port_key(rule));
  for (const auto& backend : rule.backends) {
    if (--backends_[backend.address] == 0) backends_.erase(backend.address);
  }
}

void ServiceFilter::add_map_changes(NftBatch& batch, const char* map,
                                    const std::map<std::string, std::string>& before,
                                    const Claims& after) {
  std::vector<std::string> gone;
  NftElements added;
  for (const auto& [key, chain] : before) {
    const auto now = after.find(key);
    const std::string next = now == after.end() ? std::string() : *now->second.begin();
    if (next == chain) continue;
    if (!chain.empty()) gone.push_back(key);
    if (!next.empty()) added.emplace_back(key, chain_of(next));
  }
  batch.remove_keys(map, gone).add_gotos(map, added);
}

// Order matters to the kernel: chains before the elements that lead to them, and gone after those.
void ServiceFilter::add_changes(NftBatch& batch, const std::vector<FilterRule>& changed,
                                const std::vector<std::string>& removed) {
  std::map<std::string, std::string> destinations, node_ports;  // touched keys, and who had them
  std::map<uint32_t, bool> backends;  // touched addresses, and whether known
  const auto holder = [](const Claims& claims, const std::string& key) {
    const auto found = claims.find(key);
    return found == claims.end() ? std::string() : *found->second.begin();
  };
  const auto touch = [&](const FilterRule& rule) {
    for (const uint32_t address : rule.addresses) {
      const auto key = destination_key(address, rule);
      destinations.emplace(key, holder(destinations_, key));
    }
    if (rule.node_port != 0)
      node_ports.emplace(node_port_key(rule), holder(node_ports_, node_port_key(rule)));
    for (const auto& backend : rule.backends)
      backends.emplace(backend.address, backends_.contains(backend.address));
  };
  std::vector<std::string> replaced = removed;
  for (const auto& rule : changed) replaced.push_back(rule.name);
  for (const auto& rule : changed) touch(rule);
  for (const auto& name : replaced) {
    if (const auto old = rules_.find(name); old != rules_.end()) touch(old->second);
  }
  for (const auto& name : replaced) {
    const auto old = rules_.find(name);
    if (old == rules_.end()) continue;
    unclaim(old->second);
    batch.flush_chain(chain_of(name));
  }
  for (const auto& rule : changed) {
    claim(rule);
    batch.add_chain(chain_of(rule.name));
    add_chain_rules(batch, rule);
  }
  add_map_changes(batch, kDestinations, destinations, destinations_);
  add_map_changes(batch, kNodePorts, node_ports, node_ports_);
  std::vector<std::string> selves_gone, selves_new;
  for (const auto& [address, known] : backends) {
    const bool wanted = backends_.contains(address);
    if (wanted == known) continue;
    (wanted ? selves_new : selves_gone).push_back(nft_slot(address) + nft_slot(address));
  }
  batch.remove_keys(kSelf, selves_gone).add_keys(kSelf, selves_new);
  for (const auto& name : removed) {
    if (rules_.erase(name) != 0) batch.remove_chain(chain_of(name));
  }
}

Status ServiceFilter::replace(const std::vector<FilterRule>& rules) {
  rules_.clear();
  destinations_.clear();
  node_ports_.clear();
  backends_.clear();
  NftBatch batch(kTable);
  add_frame(batch);
  add_changes(batch, rules, {});
  return socket_->commit(batch);
}

Status ServiceFilter::update(const std::vector<FilterRule>& changed,
                             const std::vector<std::string>& removed) {
  NftBatch batch(kTable);
  add_changes(batch, changed, removed);
  return socket_->commit(batch);
}

}  // namespace minik::runtime
