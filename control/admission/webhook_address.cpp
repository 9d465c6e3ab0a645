#include "control/admission/webhook_address.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::control {

Result<WebhookCall> webhook_call(const Store& store, const Value& client_config, Duration timeout) {
  WebhookCall call;
  call.timeout = timeout;
  call.ca_bundle = from_base64(client_config.get("caBundle").as_string()).value_or("");
  const std::string query = cat("?timeout=", timeout.ns / seconds(1).ns, "s");
  if (client_config.get("url").is_string()) {
    const std::string url = client_config.get("url").string();
    call.url = cat(url, url.find('?') == std::string::npos ? query : "");
    return call;
  }
  const Value& service = client_config.get("service");
  const std::string name = service[keys::kName].string(), home = service[keys::kNamespace].string();
  call.port = static_cast<int>(service.get("port").as_int(443));
  std::string path = service.get("path").string();
  if (!path.starts_with('/')) path = cat("/", path);
  call.url = cat("https://", name, ".", home, ".svc:", call.port, path, query);
  const auto failed = [&](std::string why) {
    return Error(ErrorCode::kServiceUnavailable, cat("Post ", quoted(call.url), ": ", why));
  };
  const Value& found = store.find(kinds::kServices, home, name);
  if (!found.has_value()) return failed(cat("service ", quoted(name), " not found"));
  const auto ports = found[keys::kSpec].get("ports").items();
  if (std::ranges::none_of(ports, [&](const Value& p) { return p.get("port").as_int() == call.port; })) {
    return failed(cat("no service port ", call.port, " found for service ", quoted(name)));
  }
  const auto port = std::ranges::find_if(ports, [&](const Value& p) { return p.get("port").as_int() == call.port; });
  const std::string wanted = port->get("name").string();
  const auto slices = store.list(kinds::kEndpointslices, home);
  for (const auto& slice : slices->objects) {
    if (slice[keys::kMetadata][keys::kLabels].get("kubernetes.io/service-name").as_string() != name) continue;
    for (const auto& offered : slice.get("ports").items()) {
      if (offered.get("name").as_string() != wanted) continue;
      for (const auto& endpoint : slice.get("endpoints").items()) {
        if (!endpoint.get("conditions").get("ready").as_bool(true) || endpoint.get("addresses").empty()) continue;
        call.address = endpoint.get("addresses").items()[0].string();
        call.port = static_cast<int>(offered.get("port").as_int());
        return call;
      }
    }
  }
  return failed(cat("no endpoints available for service ", quoted(name)));
}

}  // namespace minik::control
