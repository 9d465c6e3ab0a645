#include "minik/net/dns_message.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "control/base/text.h"

// Last: it takes `bool` for something that C++ may not have yet.
#include <ldns/ldns.h>

namespace minik {

namespace {

using control::DnsAnswer;
using control::DnsOutcome;
using control::DnsRecord;
using control::DnsType;
using control::DnsZone;

constexpr size_t kHeaderBytes = 12;
constexpr size_t kPlainUdpBytes = 512;  // RFC 1035
constexpr size_t kEdnsUdpBytes = 1232;  // fits every path without fragments (DNS flag day 2020)
constexpr size_t kTcpBytes = 65535;
constexpr uint32_t kRefreshSeconds = 7200, kRetrySeconds = 1800, kExpireSeconds = 86400;

struct PacketFree {
  void operator()(ldns_pkt* packet) const { ldns_pkt_free(packet); }
};
using Packet = std::unique_ptr<ldns_pkt, PacketFree>;

Packet parse(std::string_view bytes) {
  ldns_pkt* packet = nullptr;
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  if (ldns_wire2pkt(&packet, data, bytes.size()) != LDNS_STATUS_OK) return nullptr;
  return Packet(packet);
}

std::string encode(const ldns_pkt* packet) {
  uint8_t* wire = nullptr;
  size_t size = 0;
  if (ldns_pkt2wire(&wire, packet, &size) != LDNS_STATUS_OK) return {};
  std::string bytes(reinterpret_cast<const char*>(wire), size);
  free(wire);  // ldns allocates with malloc
  return bytes;
}

ldns_rdf* name_field(const std::string& name) {
  return ldns_dname_new_frm_str((name + ".").c_str());
}
ldns_rdf* short_field(uint16_t value) {
  return ldns_native2rdf_int16(LDNS_RDF_TYPE_INT16, value);
}
ldns_rdf* long_field(uint32_t value) {
  return ldns_native2rdf_int32(LDNS_RDF_TYPE_INT32, value);
}

ldns_rdf* text_field(const std::string& text) {
  const std::string counted = cat(std::string(1, static_cast<char>(text.size())), text);
  return ldns_rdf_new_frm_data(LDNS_RDF_TYPE_STR, counted.size(), counted.data());
}

ldns_rdf* address_field(uint32_t address) {
  const uint8_t bytes[4] = {static_cast<uint8_t>(address >> 24),
                            static_cast<uint8_t>(address >> 16), static_cast<uint8_t>(address >> 8),
                            static_cast<uint8_t>(address)};
  return ldns_rdf_new_frm_data(LDNS_RDF_TYPE_A, sizeof bytes, bytes);
}

// Null when a name is none that fits into a message; such a record is left out.
ldns_rr* make_record(const std::string& owner, DnsType type, const std::vector<ldns_rdf*>& fields) {
  ldns_rdf* name = name_field(owner);
  const bool complete =
      name != nullptr && std::find(fields.begin(), fields.end(), nullptr) == fields.end();
  if (!complete) {
    if (name != nullptr) ldns_rdf_deep_free(name);
    for (auto* field : fields) {
      if (field != nullptr) ldns_rdf_deep_free(field);
    }
    return nullptr;
  }
  ldns_rr* record = ldns_rr_new();
  ldns_rr_set_owner(record, name);
  ldns_rr_set_type(record, static_cast<ldns_rr_type>(type));
  ldns_rr_set_class(record, LDNS_RR_CLASS_IN);
  ldns_rr_set_ttl(record, control::kDnsTtlSeconds);
  for (auto* field : fields) ldns_rr_push_rdf(record, field);
  return record;
}

ldns_rr* wire_record(const DnsRecord& record) {
  switch (record.type) {
    case DnsType::kA:
      return make_record(record.name, record.type, {address_field(record.address)});
    case DnsType::kTxt:
      return make_record(record.name, record.type, {text_field(record.target)});
    case DnsType::kSrv:
      return make_record(record.name, record.type,
                         {short_field(0), short_field(record.weight), short_field(record.port),
                          name_field(record.target)});
    default:
      return make_record(record.name, record.type, {name_field(record.target)});
  }
}

ldns_rr* start_of_authority(const DnsZone& zone) {
  return make_record(
      zone.domain(), DnsType::kSoa,
      {name_field(cat("ns.dns.", zone.domain())), name_field(cat("hostmaster.", zone.domain())),
       long_field(zone.serial()), long_field(kRefreshSeconds), long_field(kRetrySeconds),
       long_field(kExpireSeconds), long_field(control::kDnsTtlSeconds)});
}

void push(ldns_pkt* packet, ldns_pkt_section section, ldns_rr* record) {
  if (record != nullptr) ldns_pkt_push_rr(packet, section, record);
}

std::string question_name(const ldns_rr* question) {
  char* text = ldns_rdf2str(ldns_rr_owner(question));
  std::string name = text == nullptr ? "" : text;
  free(text);
  return name;
}

// A response that repeats the query's id, question and EDNS.
Packet response_to(const ldns_pkt* query) {
  Packet response(ldns_pkt_new());
  ldns_pkt_set_id(response.get(), ldns_pkt_id(query));
  ldns_pkt_set_qr(response.get(), true);
  ldns_pkt_set_rd(response.get(), ldns_pkt_rd(query));
  ldns_pkt_set_ra(response.get(), true);
  ldns_pkt_set_opcode(response.get(), ldns_pkt_get_opcode(query));
  if (ldns_pkt_edns(query)) ldns_pkt_set_edns_udp_size(response.get(), kEdnsUdpBytes);
  for (size_t i = 0; i < ldns_pkt_qdcount(query); ++i) {
    push(response.get(), LDNS_SECTION_QUESTION,
         ldns_rr_clone(ldns_rr_list_rr(ldns_pkt_question(query), i)));
  }
  return response;
}

// Every answer but a truncated one is whole: half a list of endpoints would be taken for all.
std::string fit(Packet response, const ldns_pkt* query, DnsTransport transport) {
  size_t most = kTcpBytes;
  if (transport == DnsTransport::kUdp) {
    most = kPlainUdpBytes;
    if (ldns_pkt_edns(query))
      most = std::clamp<size_t>(ldns_pkt_edns_udp_size(query), kPlainUdpBytes, kEdnsUdpBytes);
  }
  std::string bytes = encode(response.get());
  if (!bytes.empty() && bytes.size() <= most) return bytes;
  Packet shorter = response_to(query);
  ldns_pkt_set_aa(shorter.get(), ldns_pkt_aa(response.get()));
  ldns_pkt_set_tc(shorter.get(), true);
  return encode(shorter.get());
}

std::string refuse(const ldns_pkt* query, ldns_pkt_rcode code) {
  const Packet response = response_to(query);
  ldns_pkt_set_rcode(response.get(), code);
  return encode(response.get());
}

// What is too broken to be parsed gets its id back and no question.
std::string format_error(std::string_view query) {
  std::string bytes(query.substr(0, 2));
  bytes += static_cast<char>(0x80);  // a response
  bytes += static_cast<char>(LDNS_RCODE_FORMERR);
  bytes.append(kHeaderBytes - bytes.size(), '\0');
  return bytes;
}

bool is_query(std::string_view bytes) {
  return bytes.size() >= kHeaderBytes && (static_cast<uint8_t>(bytes[2]) & 0x80) == 0;
}

// The query for the alias' target: the client's, with another name.
std::string query_for(const ldns_pkt* query, const std::string& target) {
  const Packet onward(ldns_pkt_new());
  ldns_pkt_set_id(onward.get(), ldns_pkt_id(query));
  ldns_pkt_set_rd(onward.get(), true);
  const ldns_rr* asked = ldns_rr_list_rr(ldns_pkt_question(query), 0);
  ldns_rr* question = ldns_rr_new();
  ldns_rr_set_question(question, true);
  ldns_rdf* name = name_field(target);
  if (name == nullptr) {
    ldns_rr_free(question);
    return {};
  }
  ldns_rr_set_owner(question, name);
  ldns_rr_set_type(question, ldns_rr_get_type(asked));
  ldns_rr_set_class(question, LDNS_RR_CLASS_IN);
  push(onward.get(), LDNS_SECTION_QUESTION, question);
  return encode(onward.get());
}

bool is_alias(const DnsAnswer& answer, DnsType type) {
  return answer.records.size() == 1 && answer.records[0].type == DnsType::kCname &&
         type != DnsType::kCname;
}

std::string reply(const ldns_pkt* query, const DnsAnswer& answer, const DnsZone& zone,
                  DnsTransport transport) {
  Packet response = response_to(query);
  ldns_pkt_set_aa(response.get(), true);
  if (answer.outcome == DnsOutcome::kNoSuchName)
    ldns_pkt_set_rcode(response.get(), LDNS_RCODE_NXDOMAIN);
  for (const auto& record : answer.records)
    push(response.get(), LDNS_SECTION_ANSWER, wire_record(record));
  for (const auto& record : answer.additional)
    push(response.get(), LDNS_SECTION_ADDITIONAL, wire_record(record));
  if (answer.records.empty())
    push(response.get(), LDNS_SECTION_AUTHORITY, start_of_authority(zone));
  return fit(std::move(response), query, transport);
}

}  // namespace

DnsReaction react_to_dns_query(std::string_view bytes, const DnsZone& zone,
                               DnsTransport transport) {
  if (!is_query(bytes)) return {};
  const Packet query = parse(bytes);
  if (!query) return {DnsStep::kReply, format_error(bytes)};
  if (ldns_pkt_get_opcode(query.get()) != LDNS_PACKET_QUERY) {
    return {DnsStep::kReply, refuse(query.get(), LDNS_RCODE_NOTIMPL)};
  }
  if (ldns_pkt_qdcount(query.get()) != 1)
    return {DnsStep::kReply, refuse(query.get(), LDNS_RCODE_FORMERR)};
  const ldns_rr* question = ldns_rr_list_rr(ldns_pkt_question(query.get()), 0);
  const auto type = static_cast<DnsType>(ldns_rr_get_type(question));
  DnsAnswer answer = zone.answer(question_name(question), type);
  if (answer.outcome == DnsOutcome::kNotOurs || ldns_rr_get_class(question) != LDNS_RR_CLASS_IN) {
    return {DnsStep::kForward, std::string(bytes)};
  }
  if (is_alias(answer, type)) {
    const std::string target = answer.records[0].target;
    const DnsAnswer inside = zone.answer(target, type);
    if (inside.outcome == DnsOutcome::kNotOurs) {
      return {DnsStep::kForward, query_for(query.get(), target), true};
    }
    // One step: an alias of an alias of ours is followed no further.
    answer.records.insert(answer.records.end(), inside.records.begin(), inside.records.end());
  }
  return {DnsStep::kReply, reply(query.get(), answer, zone, transport)};
}

std::string finish_alias(std::string_view query_bytes, std::string_view upstream_answer,
                         const DnsZone& zone, DnsTransport transport) {
  const Packet query = parse(query_bytes);
  const Packet upstream = parse(upstream_answer);
  if (!query || !upstream || ldns_pkt_qdcount(query.get()) != 1)
    return dns_server_failure(query_bytes);
  const ldns_rr* question = ldns_rr_list_rr(ldns_pkt_question(query.get()), 0);
  const auto type = static_cast<DnsType>(ldns_rr_get_type(question));
  Packet response = response_to(query.get());
  ldns_pkt_set_rcode(response.get(), ldns_pkt_get_rcode(upstream.get()));
  for (const auto& record : zone.answer(question_name(question), type).records) {
    push(response.get(), LDNS_SECTION_ANSWER, wire_record(record));
  }
  const ldns_rr_list* answers = ldns_pkt_answer(upstream.get());
  for (size_t i = 0; i < ldns_rr_list_rr_count(answers); ++i) {
    push(response.get(), LDNS_SECTION_ANSWER, ldns_rr_clone(ldns_rr_list_rr(answers, i)));
  }
  return fit(std::move(response), query.get(), transport);
}

std::string dns_server_failure(std::string_view bytes) {
  if (!is_query(bytes)) return {};
  const Packet query = parse(bytes);
  return query ? refuse(query.get(), LDNS_RCODE_SERVFAIL) : format_error(bytes);
}

bool answers_dns_query(std::string_view answer_bytes, std::string_view query_bytes) {
  if (answer_bytes.size() < kHeaderBytes || answer_bytes.substr(0, 2) != query_bytes.substr(0, 2))
    return false;
  if ((static_cast<uint8_t>(answer_bytes[2]) & 0x80) == 0) return false;
  const Packet answer = parse(answer_bytes);
  const Packet query = parse(query_bytes);
  if (!answer || !query || ldns_pkt_qdcount(answer.get()) != 1 ||
      ldns_pkt_qdcount(query.get()) != 1)
    return false;
  const ldns_rr* asked = ldns_rr_list_rr(ldns_pkt_question(query.get()), 0);
  const ldns_rr* repeated = ldns_rr_list_rr(ldns_pkt_question(answer.get()), 0);
  return ldns_rr_get_type(asked) == ldns_rr_get_type(repeated) &&
         ldns_dname_compare(ldns_rr_owner(asked), ldns_rr_owner(repeated)) == 0;
}

}  // namespace minik
