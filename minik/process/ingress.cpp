#include "minik/process/ingress.h"

#include <sys/socket.h>

#include "control/schema/kinds.h"
#include "minik/net/listen.h"

namespace minik {

namespace {

HttpServerOptions server_options() {
  HttpServerOptions options;
  options.parser.body_bytes_max = kIngressHeldBodyBytesMax;
  options.streams_body = ingress_streams_body;
  // What an endpoint left uncompressed stays so: its length has been announced.
  options.gzip_bytes_min = SIZE_MAX;
  // Uploads of any visitor, on lines of any speed.
  options.body_timeout = {};
  return options;
}

Result<UniqueFd> listen_at_one_of(std::initializer_list<uint16_t> ports, uint16_t& chosen) {
  for (const uint16_t port : ports) {
    auto listener = listen_tcp("127.0.0.1", port);
    if (!listener && port != 0) continue;
    if (listener) chosen = local_port(listener->get());
    return listener;
  }
  return Error(ErrorCode::kConflict, "no port of 127.0.0.1 is free for the Ingress");
}

}  // namespace

Ingress::Ingress(IoThreads& io, NodeNetwork& network, const Profile& profile)
    : address_{"127.0.0.1", {profile.ingress_port, profile.ingress_tls_port}},
      proxy_([&network]() -> Result<UniqueFd> {
        MINIK_ASSIGN(const int fd, network.pods().open_socket(SOCK_STREAM));
        return UniqueFd(fd);
      }),
      http_(io, server_options(),
            [this](HttpRequest request, Responder responder) {
              proxy_.handle(std::move(request), std::move(responder), IngressScheme::kHttp);
            }),
      https_(io, server_options(), [this](HttpRequest request, Responder responder) {
        proxy_.handle(std::move(request), std::move(responder), IngressScheme::kHttps);
      }) {}

Ingress::~Ingress() = default;

Result<std::unique_ptr<Ingress>> Ingress::open(IoThreads& io, NodeNetwork& network,
                                               Profile& profile, const KeyPair& fallback) {
  const auto first = [](uint16_t kept, uint16_t usual) { return kept == 0 ? usual : kept; };
  MINIK_ASSIGN(auto http,
               listen_at_one_of({first(profile.ingress_port, 80), 8080, 0}, profile.ingress_port));
  MINIK_ASSIGN(auto https, listen_at_one_of({first(profile.ingress_tls_port, 443), 8443, 0},
                                            profile.ingress_tls_port));
  std::unique_ptr<Ingress> ingress(new Ingress(io, network, profile));
  ingress->http_listener_ = std::move(http);
  ingress->https_listener_ = std::move(https);
  auto& proxy = ingress->proxy_;
  MINIK_ASSIGN(
      ingress->tls_,
      TlsServer::create({fallback.certificate_pem, fallback.private_key_pem, ""},
                        [&proxy](std::string_view name) { return proxy.certificate_for(name); }));
  return ingress;
}

void Ingress::start(Executor& executor, control::Client& client, control::InformerSet& informers,
                    MetricRegistry& metrics, Rng rng) {
  publisher_ = std::make_unique<control::IngressPublisher>(
      executor, informers, [this](std::shared_ptr<const control::IngressRoutes> routes) {
        proxy_.set_routes(std::move(routes));
      });
  publisher_->start();
  events_ = std::make_unique<control::EventRecorder>(executor, client, control::kinds::kEvents,
                                                     "ingress-controller", "", rng.fork("events"));
  status_ = std::make_unique<control::ControllerRunner>(
      control::ingress_status_controller(address_), executor, client, informers, *events_, metrics,
      rng.fork("status"));
  status_->start();
  http_.serve(std::move(http_listener_), nullptr);
  https_.serve(std::move(https_listener_), tls_);
}

void Ingress::stop(Duration grace) {
  http_.stop(grace);
  https_.stop(grace);
  status_.reset();
  publisher_.reset();
}

}  // namespace minik
