// DnsPublisher: tells whoever serves the zone what changed in Services, their endpoints and
// Namespaces, as values, once per turn. Control thread only; the informers and the executor must
// outlive it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "control/network/dns_zone.h"
#include "control/network/service_changes.h"

namespace minik::control {

class DnsPublisher {
 public:
  using Publish = std::function<void(DnsChange change)>;

  DnsPublisher(Executor& executor, InformerSet& informers, Publish publish);
  ~DnsPublisher();
  DnsPublisher(const DnsPublisher&) = delete;
  DnsPublisher& operator=(const DnsPublisher&) = delete;

  // Takes effect when the informers have listed, whether they have started or not.
  void start();

 private:
  void on_services(const std::set<std::string>& services);

  Informer& namespaces_;
  Publish publish_;
  ServiceChanges changes_;
  std::map<std::string, DnsService> published_;  // by "namespace/name"
  std::shared_ptr<bool> alive_;
};

}  // namespace minik::control
