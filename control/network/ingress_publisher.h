// IngressPublisher: tells whoever carries Ingress traffic the whole table of routes, whenever it
// has changed and once at the beginning, at most once per turn.
//
//   informers (ingresses, classes, secrets), ServiceChanges --marks--> ingress_routes()
//   --differs--> Publish
//
// A table never changes after it was published, so other threads may read it. Control thread only;
// the informers and the executor must outlive it.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "control/network/ingress_routes.h"
#include "control/network/service_changes.h"

namespace minik::control {

class IngressPublisher {
 public:
  using Publish = std::function<void(std::shared_ptr<const IngressRoutes>)>;

  IngressPublisher(Executor& executor, InformerSet& informers, Publish publish);
  ~IngressPublisher();
  IngressPublisher(const IngressPublisher&) = delete;
  IngressPublisher& operator=(const IngressPublisher&) = delete;

  // After the informers have started.
  void start();

 private:
  void on_services(const std::set<std::string>& services);
  void on_secret(const Value& secret);
  bool synced() const;
  void schedule();
  void recompute();
  IngressSources sources() const;

  Executor& executor_;
  Informer& ingresses_;
  Informer& classes_;
  Informer& secrets_;
  Publish publish_;
  ServiceChanges changes_;
  std::shared_ptr<const IngressRoutes> published_;
  // "namespace/name" of what the Ingresses mention: changes of others concern nobody.
  std::set<std::string> services_mentioned_, secrets_mentioned_;
  std::shared_ptr<bool> alive_;
  bool services_known_ = false;
  bool scheduled_ = false;
};

}  // namespace minik::control
