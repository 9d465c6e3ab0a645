// nf_tables: the packet filter's objects as netlink messages, sent as one transaction. Enough of
// the language for Services: chains, named and anonymous maps, and rules made of a few expressions.
//
//   NftBatch batch("minik");
//   batch.add_chain("web").add_rule("web", [](NftRule& r) { r.payload(...).compare(...); });
//   socket.commit(batch);  // all of it, or nothing and an error that names the first refused message
//
// Values are held in the kernel's 4-byte registers, numbered here from 0. Numbers in rules are in
// host order unless said otherwise. Family ip (IPv4) only. Blocking, one thread at a time; not
// here: reading rules back. Protocol: linux/netfilter/nf_tables.h, nfnetlink batches; messages are
// built with libnl-3.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/base/result.h"

struct nl_msg;

namespace minik::runtime {

// The bytes of a key or of data: fields in slots of 4 bytes, each in network order.
std::string nft_slot(uint32_t address);
std::string nft_slot_u8(uint8_t value);
std::string nft_slot_u16(uint16_t value);

enum class NftVerdict { kAccept, kDrop, kJump, kGoto };
enum class NftHook { kPrerouting, kOutput, kPostrouting };
enum class NftHeader { kNetwork, kTransport };
enum class NftCompare { kEqual, kNotEqual };

// Datatypes as nft(8) numbers them, so that `nft list ruleset` reads well; packed six bits each.
enum class NftType : uint32_t {
  kInteger = 4,
  kAddress = 7,
  kProtocolPort = (12 << 6) | 13,
  kAddressPort = (7 << 6) | 13,
  kAddressAddress = (7 << 6) | 7,
  kAddressProtocolPort = (7 << 12) | (12 << 6) | 13,
};

// One rule under construction: expressions run in order, a comparison that fails ends the rule.
class NftRule {
 public:
  explicit NftRule(nl_msg* message) : message_(message) {}
  NftRule& payload(NftHeader header, uint32_t offset, uint32_t length, uint32_t slot);
  NftRule& protocol(uint32_t slot);          // of layer 4, one byte
  NftRule& destination_kind(uint32_t slot);  // RTN_LOCAL and others
  NftRule& way_out(uint32_t slot);           // the link's index; 0: no route, or to this machine
  NftRule& was_translated(uint32_t slot);    // not 0: this connection's destination was changed
  NftRule& mask(uint32_t slot, std::string_view bits);
  NftRule& compare(uint32_t slot, NftCompare how, std::string_view bytes);
  NftRule& random_below(uint32_t slot, uint32_t modulus);
  NftRule& hash_below(uint32_t source_slot, uint32_t length, uint32_t slot, uint32_t modulus);
  NftRule& number(uint32_t slot, std::string_view bytes);
  NftRule& find(std::string_view set, uint32_t set_id, uint32_t slot);  // in a set
  NftRule& look_up(std::string_view set, uint32_t set_id, uint32_t slot,
                   uint32_t to_slot);  // data of a map
  NftRule& go_by(std::string_view verdict_map, uint32_t slot);
  NftRule& verdict(NftVerdict verdict, std::string_view chain = {});
  NftRule& translate_destination(uint32_t address_slot, uint32_t port_slot);
  NftRule& redirect(uint32_t port_slot);
  NftRule& masquerade();
  NftRule& reject_unreachable_port();
  NftRule& reset_connection();  // TCP only

 private:
  NftRule& destination_route(uint32_t slot, uint32_t result);
  NftRule& expression(const char* name, const std::function<void()>& attributes);
  nl_msg* message_;
};

using NftElements = std::vector<std::pair<std::string, std::string>>;  // key, data

class NftBatch {
 public:
  explicit NftBatch(std::string table);

  NftBatch& replace_table();  // made anew, empty
  NftBatch& add_chain(std::string_view chain);
  NftBatch& add_nat_chain(std::string_view chain, NftHook hook, int32_t priority);
  NftBatch& add_filter_chain(std::string_view chain, NftHook hook, int32_t priority);
  NftBatch& flush_chain(std::string_view chain);
  NftBatch& remove_chain(std::string_view chain);
  NftBatch& add_verdict_map(std::string_view name, NftType key, uint32_t key_length);
  NftBatch& add_set(std::string_view name, NftType key, uint32_t key_length);
  NftBatch& add_gotos(std::string_view map, const NftElements& key_and_chain);
  NftBatch& add_keys(std::string_view set, const std::vector<std::string>& keys);
  NftBatch& remove_keys(std::string_view set, const std::vector<std::string>& keys);
  // A map without a name, from 0, 1, 2… to the given data, for one rule of this batch. Returns its
  // id.
  uint32_t add_list(NftType data, uint32_t data_length, const std::vector<std::string>& values);
  NftBatch& add_rule(std::string_view chain, const std::function<void(NftRule&)>& build);

  bool empty() const { return messages_.empty(); }

 private:
  friend class NftSocket;
  struct Message {
    std::string bytes;
    std::string what;
  };
  void message(int type, int flags, std::string what,
               const std::function<void(nl_msg*)>& attributes, uint32_t bytes_max = 4096);
  NftBatch& add_base_chain(std::string_view chain, const char* type, NftHook hook,
                           int32_t priority);
  void elements(int type, std::string_view set, uint32_t set_id, const NftElements& list,
                bool to_chains);

  const std::string table_;
  std::vector<Message> messages_;
  uint32_t sets_ = 0;
};

// The name that the kernel fills in for a set of a rule's own.
inline constexpr std::string_view kNftList = "__map%d";

class NftSocket {
 public:
  // In the calling thread's network namespace, for which the socket stays.
  static Result<std::unique_ptr<NftSocket>> open();
  ~NftSocket();
  NftSocket(const NftSocket&) = delete;
  NftSocket& operator=(const NftSocket&) = delete;

  Status commit(const NftBatch& batch);

 private:
  explicit NftSocket(int fd) : fd_(fd) {}
  Status outcome(uint32_t first, const NftBatch& batch);

  int fd_;
  uint32_t sequence_ = 1;
};

}  // namespace minik::runtime
