// IngressPublisher: makes the Ingress routes anew when something that they depend on has changed,
// and hands them on as one immutable value. Changes of one turn make one table; an equal one is not
// told.
//
// Control thread only; the informers and the executor must outlive it.
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
  using Publish = std::function<void(std::shared_ptr<const IngressRoutes> routes)>;

  IngressPublisher(Executor& executor, InformerSet& informers, Publish publish);
  ~IngressPublisher();
  IngressPublisher(const IngressPublisher&) = delete;
  IngressPublisher& operator=(const IngressPublisher&) = delete;

  // Takes effect when the informers have listed, whether they have started or not.
  void start();

 private:
  void on_services(const std::set<std::string>& services);
  void schedule();
  void publish();

  Executor& executor_;
  Informer& ingresses_;
  Informer& classes_;
  Informer& secrets_;
  Publish publish_;
  ServiceChanges changes_;
  std::shared_ptr<const IngressRoutes> published_;
  std::set<std::string> used_services_;  // "namespace/name", of the last table
  std::shared_ptr<bool> alive_;
  bool scheduled_ = false;
};

}  // namespace minik::control
