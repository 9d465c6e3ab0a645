// DNS messages: what a server does with one query, as a pure function on bytes. The wire format is
// ldns'.
//
// A query is answered from the zone, or is to be asked elsewhere, or deserves no answer at all (a
// response, a fragment shorter than a header). Malformed queries get FORMERR, other operations
// NOTIMP. Answers that are longer than the client takes are truncated, so that it comes again over
// TCP. RFC 1035, 2308 (negative answers), 6891 (EDNS). Never fails on input; no state, any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "control/network/dns_zone.h"

namespace minik {

enum class DnsStep {
  kReply,    // `bytes` is the answer
  kForward,  // `bytes` is the query for an upstream server, with the client's id
  kDrop
};

struct DnsReaction {
  DnsStep step = DnsStep::kDrop;
  std::string bytes;
  // The query is for the target of an alias of ours: finish_alias() makes the answer of what comes
  // back.
  bool is_alias = false;
};

enum class DnsTransport { kUdp, kTcp };

DnsReaction react_to_dns_query(std::string_view query, const control::DnsZone& zone,
                               DnsTransport transport);

// The answer to the client's `query` for an alias: the alias, then what upstream said of its
// target.
std::string finish_alias(std::string_view query, std::string_view upstream_answer,
                         const control::DnsZone& zone, DnsTransport transport);

// SERVFAIL for a query whose upstream did not answer; empty for what is no query.
std::string dns_server_failure(std::string_view query);

// Whether these bytes answer that query: the same id and the same question.
bool answers_dns_query(std::string_view answer, std::string_view query);

}  // namespace minik
