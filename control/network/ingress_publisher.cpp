#include "control/network/ingress_publisher.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/schema/kinds.h"

namespace minik::control {

IngressPublisher::IngressPublisher(Executor& executor, InformerSet& informers, Publish publish)
    : executor_(executor),
      ingresses_(informers.of(kinds::kIngresses)),
      classes_(informers.of(kinds::kIngressclasses)),
      secrets_(informers.of(kinds::kSecrets)),
      publish_(std::move(publish)),
      changes_(executor, informers,
               [this](const std::set<std::string>& services) { on_services(services); }),
      alive_(std::make_shared<bool>(true)) {
  for (Informer* informer : {&ingresses_, &classes_, &secrets_}) {
    informer->subscribe([this, alive = std::weak_ptr<bool>(alive_)](const Value&, const Value&) {
      if (!alive.expired()) schedule();
    });
  }
}

IngressPublisher::~IngressPublisher() = default;

void IngressPublisher::start() {
  changes_.start();
  for (Informer* informer : {&ingresses_, &classes_, &secrets_}) {
    informer->when_synced([this, alive = std::weak_ptr<bool>(alive_)] {
      if (!alive.expired()) schedule();
    });
  }
}

void IngressPublisher::on_services(const std::set<std::string>& services) {
  const bool used = std::any_of(services.begin(), services.end(),
                                [this](const auto& key) { return used_services_.contains(key); });
  if (used) schedule();
}

void IngressPublisher::schedule() {
  if (scheduled_) return;
  scheduled_ = true;
  executor_.post([this, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.expired()) return;
    scheduled_ = false;
    publish();
  });
}

void IngressPublisher::publish() {
  used_services_.clear();
  const auto key = [](std::string_view namespace_, std::string_view name) {
    return cat(namespace_, "/", name);
  };
  IngressWorld world;
  world.ingresses = ingresses_.cache().list();
  world.classes = classes_.cache().list();
  world.service = [&](std::string_view namespace_, std::string_view name) -> Value {
    used_services_.insert(key(namespace_, name));
    return changes_.service(key(namespace_, name));
  };
  world.slices = [&](std::string_view namespace_, std::string_view name) {
    return changes_.slices(key(namespace_, name));
  };
  world.secret = [&](std::string_view namespace_, std::string_view name) -> Value {
    return secrets_.cache().find(namespace_, name);
  };
  auto routes = std::make_shared<const IngressRoutes>(ingress_routes(world));
  if (published_ && *published_ == *routes) return;
  published_ = routes;
  publish_(std::move(routes));
}

}  // namespace minik::control
