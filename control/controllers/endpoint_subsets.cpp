#include "control/controllers/endpoint_subsets.h"

#include <map>
#include <string>

#include "control/base/text.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

// Which of the addresses a port has, and whether they are ready.
using Readiness = std::map<size_t, bool>;

struct Offer {
  std::vector<Value> port;  // one, or none for addresses without ports
  Readiness addresses;
};

struct Reading {
  std::vector<Value> addresses;
  std::map<std::pair<std::string, std::string>, size_t> numbers;  // by IP and uid of the target
  std::map<std::string, Offer> offers;                            // by the port's text

  size_t number_of(const Value& address) {
    const auto [known, is_new] =
        numbers.try_emplace({address[keys::kIp].string(), address[keys::kTargetRef][keys::kUid].string()}, addresses.size());
    if (is_new) addresses.push_back(address);
    return known->second;
  }

  void read(const Value& subset, Offer& offer) {
    for (const auto& [list, ready] : {std::pair{keys::kAddresses, true}, {keys::kNotReadyAddresses, false}}) {
      for (const auto& address : subset[list].items()) {
        bool& state = offer.addresses.try_emplace(number_of(address), true).first->second;
        state = state && ready;
      }
    }
  }
};

}  // namespace

std::vector<PlainSubset> plain_subsets(const Value& subsets) {
  Reading reading;
  for (const auto& subset : subsets.items()) {
    if (subset[keys::kPorts].empty()) reading.read(subset, reading.offers[""]);
    for (const auto& port : subset[keys::kPorts].items()) {
      const auto name = port[keys::kName].as_string(), protocol = port[keys::kProtocol].as_string("TCP");
      Offer& offer = reading.offers[cat(name, "=", port[keys::kPort].as_int(), "/", protocol, "/", port[keys::kAppProtocol].as_string())];
      offer.port = {port.with(keys::kName, name).with(keys::kProtocol, protocol)};
      reading.read(subset, offer);
    }
  }
  std::map<Readiness, PlainSubset> plain;
  for (const auto& [id, offer] : reading.offers) {
    PlainSubset& subset = plain[offer.addresses];
    if (subset.ports.empty() && subset.ready.empty() && subset.not_ready.empty()) {
      for (const auto& [number, ready] : offer.addresses) {
        (ready ? subset.ready : subset.not_ready).push_back(reading.addresses[number]);
      }
    }
    subset.ports.insert(subset.ports.end(), offer.port.begin(), offer.port.end());
  }
  std::vector<PlainSubset> found;
  for (auto& [addresses, subset] : plain) found.push_back(std::move(subset));
  return found;
}

}  // namespace minik::control
