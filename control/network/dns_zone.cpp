#include "control/network/dns_zone.h"

#include <algorithm>
#include <tuple>

#include "control/base/ipv4.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"

namespace minik::control {

namespace {

constexpr std::string_view kReverse = "in-addr.arpa";
constexpr std::string_view kVersion = "1.1.0";  // of the specification

std::string dashed(uint32_t address) {
  std::string text = format_ipv4(address);
  std::replace(text.begin(), text.end(), '.', '-');
  return text;
}

DnsAnswer found(std::vector<DnsRecord> records = {}) {
  return {DnsOutcome::kFound, std::move(records), {}};
}
DnsAnswer no_such_name() {
  return {DnsOutcome::kNoSuchName, {}, {}};
}

DnsRecord address_record(std::string name, uint32_t address) {
  DnsRecord record;
  record.name = std::move(name);
  record.address = address;
  return record;
}

DnsRecord name_record(std::string name, DnsType type, std::string target) {
  DnsRecord record;
  record.name = std::move(name);
  record.type = type;
  record.target = std::move(target);
  return record;
}

DnsPort dns_port(const Value& port) {
  return {std::string(port[keys::kName].as_string()),
          to_lower(port[keys::kProtocol].as_string("TCP")),
          static_cast<uint16_t>(port[keys::kPort].as_int())};
}

// "a.b" is below "b", and "b" is at it: the labels in front, without the dot.
bool strip_suffix(std::string_view name, std::string_view suffix, std::string_view& front) {
  if (name == suffix) {
    front = {};
    return true;
  }
  if (name.size() <= suffix.size() || !name.ends_with(suffix) ||
      name[name.size() - suffix.size() - 1] != '.') {
    return false;
  }
  front = name.substr(0, name.size() - suffix.size() - 1);
  return true;
}

bool is_protocol(std::string_view label) {
  return label == "_tcp" || label == "_udp" || label == "_sctp";
}

void add_endpoints(const Value& slice, std::vector<DnsEndpoint>& out) {
  if (slice[keys::kAddressType].as_string() != "IPv4") return;
  std::vector<DnsPort> ports;
  for (const auto& port : slice[keys::kPorts].items()) ports.push_back(dns_port(port));
  for (const auto& endpoint : slice[keys::kEndpoints].items()) {
    if (!endpoint[keys::kConditions][keys::kReady].as_bool(true)) continue;
    DnsEndpoint entry;
    const auto addresses = endpoint[keys::kAddresses].items();
    if (addresses.empty() || !parse_ipv4(addresses[0].as_string(), entry.address)) continue;
    entry.hostname = endpoint[keys::kHostname].as_string();
    if (entry.hostname.empty()) entry.hostname = dashed(entry.address);
    entry.ports = ports;
    out.push_back(std::move(entry));
  }
}

}  // namespace

DnsService dns_service(const Value& service, const std::vector<Value>& slices) {
  const Value& spec = service[keys::kSpec];
  DnsService result;
  result.namespace_ = object_namespace(service);
  result.name = object_name(service);
  if (spec[keys::kType].as_string() == "ExternalName") {
    result.external_name = to_lower(spec[keys::kExternalName].as_string());
    if (result.external_name.ends_with('.')) result.external_name.pop_back();
    return result;
  }
  (void)parse_ipv4(spec[keys::kClusterIP].as_string(), result.cluster_address);
  for (const auto& port : spec[keys::kPorts].items()) result.ports.push_back(dns_port(port));
  for (const auto& slice : slices) add_endpoints(slice, result.endpoints);
  std::sort(result.endpoints.begin(), result.endpoints.end(), [](const auto& a, const auto& b) {
    return std::tie(a.address, a.hostname) < std::tie(b.address, b.hostname);
  });
  return result;
}

struct DnsZone::Question {
  std::string_view asked;                // as it came
  std::vector<std::string_view> labels;  // lower case, in front of the domain
  DnsType type;

  bool wants(DnsType wanted) const { return type == wanted || type == DnsType::kAny; }
  std::string name() const { return std::string(asked); }
};

DnsZone::DnsZone(DnsZoneOptions options) : options_(std::move(options)) {}

std::string DnsZone::full_name(const DnsService& service) const {
  return cat(service.name, ".", service.namespace_, ".svc.", options_.domain);
}

void DnsZone::remove(const std::string& key) {
  const auto old = services_.find(key);
  if (old == services_.end()) return;
  const auto forget = [&](uint32_t address) {
    const auto entry = by_address_.find(address);
    if (entry == by_address_.end()) return;
    entry->second.erase(key);
    if (entry->second.empty()) by_address_.erase(entry);
  };
  forget(old->second.cluster_address);
  for (const auto& endpoint : old->second.endpoints) forget(endpoint.address);
  services_.erase(old);
}

void DnsZone::apply(const DnsChange& change) {
  ++serial_;
  for (const auto& key : change.removed) remove(key);
  for (const auto& service : change.services) {
    const std::string key = cat(service.namespace_, "/", service.name);
    remove(key);
    if (service.cluster_address != 0) by_address_[service.cluster_address].insert(key);
    for (const auto& endpoint : service.endpoints) by_address_[endpoint.address].insert(key);
    services_[key] = service;
  }
  for (const auto& name : change.gone) namespaces_.erase(name);
  namespaces_.insert(change.namespaces.begin(), change.namespaces.end());
}

const DnsService* DnsZone::find(std::string_view namespace_, std::string_view name) const {
  const auto found = services_.find(cat(namespace_, "/", name));
  return found == services_.end() ? nullptr : &found->second;
}

DnsAnswer DnsZone::answer(std::string_view name, DnsType type) const {
  if (name.ends_with('.')) name.remove_suffix(1);
  const std::string lower = to_lower(name);
  std::string_view front;
  Question question{name, {}, type};
  if (strip_suffix(lower, options_.domain, front)) {
    if (!front.empty()) question.labels = split(front, '.');
    return answer_in_domain(question);
  }
  if (strip_suffix(lower, kReverse, front)) {
    question.labels = split(front, '.');
    return answer_reverse(question);
  }
  return {};
}

DnsAnswer DnsZone::answer_in_domain(const Question& question) const {
  const auto& labels = question.labels;
  const size_t count = labels.size();
  if (count == 0) {
    if (!question.wants(DnsType::kNs)) return found();
    return found({name_record(question.name(), DnsType::kNs, cat("ns.dns.", options_.domain))});
  }
  const auto top = labels[count - 1];
  if (top == "dns-version" && count == 1) {
    if (!question.wants(DnsType::kTxt)) return found();
    return found({name_record(question.name(), DnsType::kTxt, std::string(kVersion))});
  }
  if (top == "dns" && count <= 2) {
    if (count == 1) return found();
    if (labels[0] != "ns") return no_such_name();
    return question.wants(DnsType::kA)
               ? found({address_record(question.name(), options_.server_address)})
               : found();
  }
  if (top != "svc" && top != "pod") return no_such_name();
  if (count == 1) return found();
  const auto namespace_ = labels[count - 2];
  if (!namespaces_.contains(namespace_)) return no_such_name();
  if (count == 2) return found();
  if (top == "pod") return answer_pod(question);
  const DnsService* service = find(namespace_, labels[count - 3]);
  if (service == nullptr) return no_such_name();
  if (count == 3) return answer_service(question, *service);
  const auto last = labels[count - 4];
  if (count == 4) return is_protocol(last) ? found() : answer_endpoint(question, *service);
  if (count == 5 && is_protocol(last) && labels[0].starts_with('_')) {
    return answer_port(question, *service, labels[0].substr(1), last.substr(1));
  }
  return no_such_name();
}

DnsAnswer DnsZone::answer_service(const Question& question, const DnsService& service) const {
  if (!service.external_name.empty()) {
    return found({name_record(question.name(), DnsType::kCname, service.external_name)});
  }
  // Nobody is there: clients of a headless Service are to see that, not an empty answer.
  if (service.cluster_address == 0 && service.endpoints.empty()) return no_such_name();
  if (question.type == DnsType::kSrv) return answer_port(question, service, "", "");
  if (!question.wants(DnsType::kA)) return found();
  if (service.cluster_address != 0)
    return found({address_record(question.name(), service.cluster_address)});
  DnsAnswer answer = found();
  for (const auto& endpoint : service.endpoints) {
    answer.records.push_back(address_record(question.name(), endpoint.address));
  }
  const auto same = [](const auto& a, const auto& b) { return a.address == b.address; };
  answer.records.erase(std::unique(answer.records.begin(), answer.records.end(), same),
                       answer.records.end());
  return answer;
}

// SRV records of the ports with this name and protocol; without names, of all named ports.
DnsAnswer DnsZone::answer_port(const Question& question, const DnsService& service,
                               std::string_view port, std::string_view protocol) const {
  const auto matches = [&](const DnsPort& p) {
    if (port.empty()) return !p.name.empty();
    return p.name == port && p.protocol == protocol;
  };
  DnsAnswer answer = no_such_name();
  const auto add = [&](const DnsPort& p, const std::string& target, uint32_t address) {
    answer.outcome = DnsOutcome::kFound;
    if (!question.wants(DnsType::kSrv)) return;
    DnsRecord record = name_record(question.name(), DnsType::kSrv, target);
    record.port = p.port;
    record.weight = 100;
    answer.records.push_back(std::move(record));
    const auto extra = address_record(target, address);
    if (std::find(answer.additional.begin(), answer.additional.end(), extra) ==
        answer.additional.end()) {
      answer.additional.push_back(extra);
    }
  };
  if (service.cluster_address != 0) {
    for (const auto& p : service.ports) {
      if (matches(p)) add(p, full_name(service), service.cluster_address);
    }
  } else {
    for (const auto& endpoint : service.endpoints) {
      for (const auto& p : endpoint.ports) {
        if (matches(p)) add(p, cat(endpoint.hostname, ".", full_name(service)), endpoint.address);
      }
    }
  }
  if (port.empty()) answer.outcome = DnsOutcome::kFound;
  return answer;
}

DnsAnswer DnsZone::answer_endpoint(const Question& question, const DnsService& service) const {
  DnsAnswer answer = no_such_name();
  for (const auto& endpoint : service.endpoints) {
    if (endpoint.hostname != question.labels[0]) continue;
    answer.outcome = DnsOutcome::kFound;
    if (question.wants(DnsType::kA))
      answer.records.push_back(address_record(question.name(), endpoint.address));
  }
  return answer;
}

DnsAnswer DnsZone::answer_pod(const Question& question) const {
  if (question.labels.size() != 3) return no_such_name();
  std::string text(question.labels[0]);
  std::replace(text.begin(), text.end(), '-', '.');
  uint32_t address = 0;
  if (!parse_ipv4(text, address)) return no_such_name();
  return question.wants(DnsType::kA) ? found({address_record(question.name(), address)}) : found();
}

DnsAnswer DnsZone::answer_reverse(const Question& question) const {
  if (question.labels.size() != 4) return {};
  uint32_t address = 0;
  const auto& l = question.labels;
  if (!parse_ipv4(cat(l[3], ".", l[2], ".", l[1], ".", l[0]), address)) return {};
  const auto services = by_address_.find(address);
  if (services == by_address_.end()) return {};
  DnsAnswer answer = found();
  if (!question.wants(DnsType::kPtr)) return answer;
  const auto add = [&](std::string target) {
    answer.records.push_back(name_record(question.name(), DnsType::kPtr, std::move(target)));
  };
  for (const auto& key : services->second) {
    const DnsService& service = services_.find(key)->second;
    if (service.cluster_address == address) add(full_name(service));
    for (const auto& endpoint : service.endpoints) {
      if (endpoint.address == address) add(cat(endpoint.hostname, ".", full_name(service)));
    }
  }
  return answer;
}

}  // namespace minik::control
