// ServiceChanges: which Services changed, themselves or by their EndpointSlices, once per turn.
// What the Service proxy, DNS and the Ingress routes stand on.
//
//   informers (services, endpointslices) --marks--> set of keys --one call per turn--> listener
//
// The first call comes when both informers have listed, with every Service; later ones as things
// change. A key is "namespace/name"; service() is absent for one that is gone. Control thread only;
// the informers and the executor must outlive it.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "control/base/executor.h"
#include "control/client/informer.h"

namespace minik::control {

class ServiceChanges {
 public:
  using Listener = std::function<void(const std::set<std::string>& services)>;

  ServiceChanges(Executor& executor, InformerSet& informers, Listener listener);
  ~ServiceChanges();
  ServiceChanges(const ServiceChanges&) = delete;
  ServiceChanges& operator=(const ServiceChanges&) = delete;

  // Takes effect when the informers have listed, whether they have started or not.
  void start();
  const Value& service(const std::string& key) const;
  std::vector<Value> slices(const std::string& key) const;

 private:
  void mark(const std::string& service);
  void schedule();

  Executor& executor_;
  Informer& services_;
  Informer& slices_;
  Listener listener_;
  std::set<std::string> dirty_;
  std::shared_ptr<bool> alive_;
  bool started_ = false;
  bool scheduled_ = false;
};

}  // namespace minik::control
