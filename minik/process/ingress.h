// Ingress: the ingress controller of a cluster, from routes to listeners on 127.0.0.1.
//
//   IngressPublisher -> IngressProxy <- HttpServer (http) , HttpServer (https, certificates by
//   name) ingress status controller -> the Ingresses' status
//
// Ports: 80 and 443 where they are free at the first start, else 8080 and 8443, else any; kept
// afterwards. A kept port that somebody else has taken is given up for another: unlike the API's,
// nothing points at it but people. Control thread; must go before its executor, network and I/O
// threads.
#pragma once

#include <memory>

#include "control/client/controller.h"
#include "control/client/event_recorder.h"
#include "control/network/ingress_publisher.h"
#include "control/network/ingress_status.h"
#include "minik/net/http_server.h"
#include "minik/net/ingress_proxy.h"
#include "minik/process/node_network.h"
#include "minik/process/pki.h"
#include "minik/process/profile.h"

namespace minik {

class Ingress {
 public:
  // Listens, and writes the ports into the profile (which the caller saves). `fallback` is the
  // certificate for names that no Ingress has one for.
  static Result<std::unique_ptr<Ingress>> open(IoThreads& io, NodeNetwork& network,
                                               Profile& profile, const KeyPair& fallback);
  ~Ingress();

  // Before the informers start.
  void start(Executor& executor, control::Client& client, control::InformerSet& informers,
             MetricRegistry& metrics, Rng rng);
  void stop(Duration grace);

 private:
  Ingress(IoThreads& io, NodeNetwork& network, const Profile& profile);

  control::IngressAddress address_;
  IngressProxy proxy_;
  HttpServer http_;
  HttpServer https_;
  UniqueFd http_listener_, https_listener_;
  std::shared_ptr<TlsServer> tls_;
  std::unique_ptr<control::IngressPublisher> publisher_;
  std::unique_ptr<control::EventRecorder> events_;
  std::unique_ptr<control::ControllerRunner> status_;
};

}  // namespace minik
