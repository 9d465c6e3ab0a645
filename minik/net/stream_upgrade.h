// The bare SPDY/3.1 upgrade as Kubernetes' older clients ask for it, and the refusal of any
// upgrade.
//
//   POST …/exec  Connection: Upgrade, Upgrade: SPDY/3.1, X-Stream-Protocol-Version:
//   v4.channel.k8s.io … 101          Connection: Upgrade, Upgrade: SPDY/3.1,
//   X-Stream-Protocol-Version: v4.channel.k8s.io
//
// Pure functions.
#pragma once

#include <string>
#include <vector>

#include "control/base/result.h"
#include "minik/net/http_message.h"

namespace minik {

bool wants_spdy(const HttpRequest& request);

struct SpdyAccept {
  HttpResponse head;     // for Responder::upgrade
  std::string protocol;  // the client's first choice that is supported
};
// kBadRequest for what is no such upgrade, kForbidden when no protocol is shared.
Result<SpdyAccept> accept_spdy(const HttpRequest& request,
                               const std::vector<std::string>& protocols);

// The error as a metav1.Status.
HttpResponse upgrade_refusal(const Error& error);

}  // namespace minik
