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
  const std::weak_ptr<bool> alive = alive_;
  for (Informer* informer : {&ingresses_, &classes_}) {
    informer->subscribe([this, alive](const Value&, const Value&) {
      if (!alive.expired()) schedule();
    });
  }
  secrets_.subscribe([this, alive](const Value& before, const Value& after) {
    if (!alive.expired()) on_secret(after.has_value() ? after : before);
  });
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
  const bool first = !std::exchange(services_known_, true);
  if (first || std::any_of(services.begin(), services.end(), [&](const std::string& service) {
        return services_mentioned_.contains(service);
      })) {
    schedule();
  }
}

void IngressPublisher::on_secret(const Value& secret) {
  if (secrets_mentioned_.contains(key_of(secret).text())) schedule();
}

bool IngressPublisher::synced() const {
  return services_known_ && ingresses_.synced() && classes_.synced() && secrets_.synced();
}

void IngressPublisher::schedule() {
  if (scheduled_ || !synced()) return;
  scheduled_ = true;
  executor_.post([this, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.expired()) return;
    scheduled_ = false;
    recompute();
  });
}

void IngressPublisher::recompute() {
  const IngressSources read = sources();
  services_mentioned_.clear();
  secrets_mentioned_.clear();
  for (const auto& ingress : read.ingresses) {
    const auto home = object_namespace(ingress);
    for (const auto& name : ingress_services(ingress))
      services_mentioned_.insert(cat(home, "/", name));
    for (const auto& name : ingress_secrets(ingress))
      secrets_mentioned_.insert(cat(home, "/", name));
  }
  auto routes = std::make_shared<const IngressRoutes>(ingress_routes(read));
  if (published_ && *published_ == *routes) return;
  published_ = routes;
  publish_(std::move(routes));
}

IngressSources IngressPublisher::sources() const {
  IngressSources read;
  read.ingresses = ingresses_.cache().list();
  read.classes = classes_.cache().list();
  read.service = [this](const ObjectKey& key) { return changes_.service(key.text()); };
  read.secret = [this](const ObjectKey& key) {
    return secrets_.cache().find(key.namespace_, key.name);
  };
  read.slices = [this](const ObjectKey& key) { return changes_.slices(key.text()); };
  return read;
}

}  // namespace minik::control
