#include "runtime/network/nf_tables.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "control/base/check.h"
#include "control/base/text.h"

namespace minik::runtime {

namespace {

// One element list of a message: below the 64 KiB that an attribute's length can say.
constexpr size_t kElementsPerMessage = 500;
constexpr uint32_t kElementBytes = 512;  // a chain's name is the largest part
constexpr uint32_t kVerdictData = NFT_DATA_VERDICT;
constexpr int kSendBufferBytes = 64 << 20;

uint32_t reg(uint32_t slot) {
  return NFT_REG32_00 + slot;
}

void put_u32(nl_msg* message, int attribute, uint32_t value) {
  CHECK(nla_put_u32(message, attribute, htonl(value)) == 0);
}

void put_text(nl_msg* message, int attribute, std::string_view text) {
  const std::string terminated(text);
  CHECK(nla_put_string(message, attribute, terminated.c_str()) == 0);
}

void nest(nl_msg* message, int attribute, const std::function<void()>& inside) {
  nlattr* start = nla_nest_start(message, attribute | NLA_F_NESTED);
  CHECK(start != nullptr);
  inside();
  nla_nest_end(message, start);
}

void put_data(nl_msg* message, int attribute, std::string_view bytes) {
  nest(message, attribute, [&] {
    CHECK(nla_put(message, NFTA_DATA_VALUE, static_cast<int>(bytes.size()), bytes.data()) == 0);
  });
}

void put_verdict(nl_msg* message, int attribute, int32_t code, std::string_view chain) {
  nest(message, attribute, [&] {
    nest(message, NFTA_DATA_VERDICT, [&] {
      put_u32(message, NFTA_VERDICT_CODE, static_cast<uint32_t>(code));
      if (!chain.empty()) put_text(message, NFTA_VERDICT_CHAIN, chain);
    });
  });
}

int32_t code_of(NftVerdict verdict) {
  switch (verdict) {
    case NftVerdict::kAccept:
      return NF_ACCEPT;
    case NftVerdict::kDrop:
      return NF_DROP;
    case NftVerdict::kJump:
      return NFT_JUMP;
    case NftVerdict::kGoto:
      return NFT_GOTO;
  }
  CHECK(false) << "verdict " << static_cast<int>(verdict);
}

uint32_t hook_of(NftHook hook) {
  switch (hook) {
    case NftHook::kPrerouting:
      return NF_INET_PRE_ROUTING;
    case NftHook::kOutput:
      return NF_INET_LOCAL_OUT;
    case NftHook::kPostrouting:
      return NF_INET_POST_ROUTING;
  }
  CHECK(false) << "hook " << static_cast<int>(hook);
}

struct MessageFree {
  void operator()(nl_msg* message) const { nlmsg_free(message); }
};

// Header and nfgenmsg around attributes; the sequence number is set when the batch is sent.
std::string encode(int type, int flags, uint8_t family, uint16_t resource, uint32_t bytes_max,
                   const std::function<void(nl_msg*)>& attributes) {
  const std::unique_ptr<nl_msg, MessageFree> message(nlmsg_alloc_size(bytes_max));
  CHECK(message != nullptr);
  nlmsghdr* header = nlmsg_put(message.get(), 0, 0, type, sizeof(nfgenmsg), NLM_F_REQUEST | flags);
  auto* generic = static_cast<nfgenmsg*>(nlmsg_data(header));
  *generic = {family, NFNETLINK_V0, htons(resource)};
  if (attributes) attributes(message.get());
  return {reinterpret_cast<const char*>(header), header->nlmsg_len};
}

void append(std::string& out, std::string bytes, uint32_t sequence) {
  reinterpret_cast<nlmsghdr*>(bytes.data())->nlmsg_seq = sequence;
  bytes.resize(NLMSG_ALIGN(bytes.size()), '\0');
  out += bytes;
}

}  // namespace

std::string nft_slot(uint32_t address) {
  const uint32_t ordered = htonl(address);
  return {reinterpret_cast<const char*>(&ordered), sizeof ordered};
}
std::string nft_slot_u8(uint8_t value) {
  return {static_cast<char>(value), 0, 0, 0};
}
std::string nft_slot_u16(uint16_t value) {
  return {static_cast<char>(value >> 8), static_cast<char>(value & 0xff), 0, 0};
}

NftRule& NftRule::expression(const char* name, const std::function<void()>& attributes) {
  nest(message_, NFTA_LIST_ELEM, [&] {
    put_text(message_, NFTA_EXPR_NAME, name);
    nest(message_, NFTA_EXPR_DATA, attributes);
  });
  return *this;
}

NftRule& NftRule::payload(NftHeader header, uint32_t offset, uint32_t length, uint32_t slot) {
  return expression("payload", [&] {
    put_u32(message_, NFTA_PAYLOAD_DREG, reg(slot));
    put_u32(
        message_, NFTA_PAYLOAD_BASE,
        header == NftHeader::kNetwork ? NFT_PAYLOAD_NETWORK_HEADER : NFT_PAYLOAD_TRANSPORT_HEADER);
    put_u32(message_, NFTA_PAYLOAD_OFFSET, offset);
    put_u32(message_, NFTA_PAYLOAD_LEN, length);
  });
}

NftRule& NftRule::protocol(uint32_t slot) {
  return expression("meta", [&] {
    put_u32(message_, NFTA_META_KEY, NFT_META_L4PROTO);
    put_u32(message_, NFTA_META_DREG, reg(slot));
  });
}

NftRule& NftRule::destination_route(uint32_t slot, uint32_t result) {
  return expression("fib", [&] {
    put_u32(message_, NFTA_FIB_DREG, reg(slot));
    put_u32(message_, NFTA_FIB_RESULT, result);
    put_u32(message_, NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR);
  });
}

NftRule& NftRule::destination_kind(uint32_t slot) {
  return destination_route(slot, NFT_FIB_RESULT_ADDRTYPE);
}

NftRule& NftRule::way_out(uint32_t slot) {
  return destination_route(slot, NFT_FIB_RESULT_OIF);
}

NftRule& NftRule::was_translated(uint32_t slot) {
  expression("ct", [&] {
    put_u32(message_, NFTA_CT_KEY, NFT_CT_STATUS);
    put_u32(message_, NFTA_CT_DREG, reg(slot));
  });
  const uint32_t bit = IPS_DST_NAT;
  return mask(slot, {reinterpret_cast<const char*>(&bit), sizeof bit});
}

NftRule& NftRule::mask(uint32_t slot, std::string_view bits) {
  return expression("bitwise", [&] {
    put_u32(message_, NFTA_BITWISE_SREG, reg(slot));
    put_u32(message_, NFTA_BITWISE_DREG, reg(slot));
    put_u32(message_, NFTA_BITWISE_LEN, static_cast<uint32_t>(bits.size()));
    put_data(message_, NFTA_BITWISE_MASK, bits);
    put_data(message_, NFTA_BITWISE_XOR, std::string(bits.size(), '\0'));
  });
}

NftRule& NftRule::compare(uint32_t slot, NftCompare how, std::string_view bytes) {
  return expression("cmp", [&] {
    put_u32(message_, NFTA_CMP_SREG, reg(slot));
    put_u32(message_, NFTA_CMP_OP, how == NftCompare::kEqual ? NFT_CMP_EQ : NFT_CMP_NEQ);
    put_data(message_, NFTA_CMP_DATA, bytes);
  });
}

NftRule& NftRule::random_below(uint32_t slot, uint32_t modulus) {
  return expression("numgen", [&] {
    put_u32(message_, NFTA_NG_DREG, reg(slot));
    put_u32(message_, NFTA_NG_MODULUS, modulus);
    put_u32(message_, NFTA_NG_TYPE, NFT_NG_RANDOM);
    put_u32(message_, NFTA_NG_OFFSET, 0);
  });
}

NftRule& NftRule::hash_below(uint32_t source_slot, uint32_t length, uint32_t slot,
                             uint32_t modulus) {
  return expression("hash", [&] {
    put_u32(message_, NFTA_HASH_SREG, reg(source_slot));
    put_u32(message_, NFTA_HASH_DREG, reg(slot));
    put_u32(message_, NFTA_HASH_LEN, length);
    put_u32(message_, NFTA_HASH_MODULUS, modulus);
    put_u32(message_, NFTA_HASH_SEED,
            1);  // fixed: a client keeps its backend when the rule is written again
    put_u32(message_, NFTA_HASH_TYPE, NFT_HASH_JENKINS);
  });
}

NftRule& NftRule::number(uint32_t slot, std::string_view bytes) {
  return expression("immediate", [&] {
    put_u32(message_, NFTA_IMMEDIATE_DREG, reg(slot));
    put_data(message_, NFTA_IMMEDIATE_DATA, bytes);
  });
}

NftRule& NftRule::find(std::string_view set, uint32_t set_id, uint32_t slot) {
  return expression("lookup", [&] {
    put_text(message_, NFTA_LOOKUP_SET, set);
    put_u32(message_, NFTA_LOOKUP_SREG, reg(slot));
    if (set_id != 0) put_u32(message_, NFTA_LOOKUP_SET_ID, set_id);
  });
}

NftRule& NftRule::look_up(std::string_view set, uint32_t set_id, uint32_t slot, uint32_t to_slot) {
  return expression("lookup", [&] {
    put_text(message_, NFTA_LOOKUP_SET, set);
    put_u32(message_, NFTA_LOOKUP_SREG, reg(slot));
    put_u32(message_, NFTA_LOOKUP_DREG, reg(to_slot));
    if (set_id != 0) put_u32(message_, NFTA_LOOKUP_SET_ID, set_id);
  });
}

NftRule& NftRule::go_by(std::string_view verdict_map, uint32_t slot) {
  return expression("lookup", [&] {
    put_text(message_, NFTA_LOOKUP_SET, verdict_map);
    put_u32(message_, NFTA_LOOKUP_SREG, reg(slot));
    put_u32(message_, NFTA_LOOKUP_DREG, NFT_REG_VERDICT);
  });
}

NftRule& NftRule::verdict(NftVerdict verdict, std::string_view chain) {
  return expression("immediate", [&] {
    put_u32(message_, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    put_verdict(message_, NFTA_IMMEDIATE_DATA, code_of(verdict), chain);
  });
}

NftRule& NftRule::translate_destination(uint32_t address_slot, uint32_t port_slot) {
  return expression("nat", [&] {
    put_u32(message_, NFTA_NAT_TYPE, NFT_NAT_DNAT);
    put_u32(message_, NFTA_NAT_FAMILY, NFPROTO_IPV4);
    put_u32(message_, NFTA_NAT_REG_ADDR_MIN, reg(address_slot));
    put_u32(message_, NFTA_NAT_REG_PROTO_MIN, reg(port_slot));
  });
}

NftRule& NftRule::redirect(uint32_t port_slot) {
  return expression("redir", [&] {
    put_u32(message_, NFTA_REDIR_REG_PROTO_MIN, reg(port_slot));
    put_u32(message_, NFTA_REDIR_FLAGS, NF_NAT_RANGE_PROTO_SPECIFIED);
  });
}

NftRule& NftRule::masquerade() {
  return expression("masq", [] {});
}

NftRule& NftRule::reject_unreachable_port() {
  return expression("reject", [&] {
    put_u32(message_, NFTA_REJECT_TYPE, NFT_REJECT_ICMP_UNREACH);
    CHECK(nla_put_u8(message_, NFTA_REJECT_ICMP_CODE, 3) == 0);
  });
}

NftRule& NftRule::reset_connection() {
  return expression("reject", [&] { put_u32(message_, NFTA_REJECT_TYPE, NFT_REJECT_TCP_RST); });
}

NftBatch::NftBatch(std::string table) : table_(std::move(table)) {}

void NftBatch::message(int type, int flags, std::string what,
                       const std::function<void(nl_msg*)>& attributes, uint32_t bytes_max) {
  messages_.push_back(
      {encode((NFNL_SUBSYS_NFTABLES << 8) | type, flags, NFPROTO_IPV4, 0, bytes_max, attributes),
       std::move(what)});
}

NftBatch& NftBatch::replace_table() {
  const auto named = [this](nl_msg* m) { put_text(m, NFTA_TABLE_NAME, table_); };
  // Removing needs one to be there.
  message(NFT_MSG_NEWTABLE, NLM_F_CREATE, "table", named);
  message(NFT_MSG_DELTABLE, 0, "table", named);
  message(NFT_MSG_NEWTABLE, NLM_F_CREATE, "table", named);
  return *this;
}

NftBatch& NftBatch::add_chain(std::string_view chain) {
  message(NFT_MSG_NEWCHAIN, NLM_F_CREATE, cat("chain ", chain), [&](nl_msg* m) {
    put_text(m, NFTA_CHAIN_TABLE, table_);
    put_text(m, NFTA_CHAIN_NAME, chain);
  });
  return *this;
}

NftBatch& NftBatch::add_nat_chain(std::string_view chain, NftHook hook, int32_t priority) {
  return add_base_chain(chain, "nat", hook, priority);
}

NftBatch& NftBatch::add_filter_chain(std::string_view chain, NftHook hook, int32_t priority) {
  return add_base_chain(chain, "filter", hook, priority);
}

NftBatch& NftBatch::add_base_chain(std::string_view chain, const char* type, NftHook hook,
                                   int32_t priority) {
  message(NFT_MSG_NEWCHAIN, NLM_F_CREATE, cat("chain ", chain), [&](nl_msg* m) {
    put_text(m, NFTA_CHAIN_TABLE, table_);
    put_text(m, NFTA_CHAIN_NAME, chain);
    put_text(m, NFTA_CHAIN_TYPE, type);
    nest(m, NFTA_CHAIN_HOOK, [&] {
      put_u32(m, NFTA_HOOK_HOOKNUM, hook_of(hook));
      put_u32(m, NFTA_HOOK_PRIORITY, static_cast<uint32_t>(priority));
    });
  });
  return *this;
}

NftBatch& NftBatch::flush_chain(std::string_view chain) {
  message(NFT_MSG_DELRULE, 0, cat("rules of chain ", chain), [&](nl_msg* m) {
    put_text(m, NFTA_RULE_TABLE, table_);
    put_text(m, NFTA_RULE_CHAIN, chain);
  });
  return *this;
}

NftBatch& NftBatch::remove_chain(std::string_view chain) {
  message(NFT_MSG_DELCHAIN, 0, cat("chain ", chain), [&](nl_msg* m) {
    put_text(m, NFTA_CHAIN_TABLE, table_);
    put_text(m, NFTA_CHAIN_NAME, chain);
  });
  return *this;
}

NftBatch& NftBatch::add_verdict_map(std::string_view name, NftType key, uint32_t key_length) {
  message(NFT_MSG_NEWSET, NLM_F_CREATE, cat("map ", name), [&](nl_msg* m) {
    put_text(m, NFTA_SET_TABLE, table_);
    put_text(m, NFTA_SET_NAME, name);
    put_u32(m, NFTA_SET_FLAGS, NFT_SET_MAP);
    put_u32(m, NFTA_SET_KEY_TYPE, static_cast<uint32_t>(key));
    put_u32(m, NFTA_SET_KEY_LEN, key_length);
    put_u32(m, NFTA_SET_DATA_TYPE, kVerdictData);
    put_u32(m, NFTA_SET_DATA_LEN, 0);
    put_u32(m, NFTA_SET_ID, ++sets_);
  });
  return *this;
}

NftBatch& NftBatch::add_set(std::string_view name, NftType key, uint32_t key_length) {
  message(NFT_MSG_NEWSET, NLM_F_CREATE, cat("set ", name), [&](nl_msg* m) {
    put_text(m, NFTA_SET_TABLE, table_);
    put_text(m, NFTA_SET_NAME, name);
    put_u32(m, NFTA_SET_FLAGS, 0);
    put_u32(m, NFTA_SET_KEY_TYPE, static_cast<uint32_t>(key));
    put_u32(m, NFTA_SET_KEY_LEN, key_length);
    put_u32(m, NFTA_SET_ID, ++sets_);
  });
  return *this;
}

void NftBatch::elements(int type, std::string_view set, uint32_t set_id, const NftElements& list,
                        bool to_chains) {
  for (size_t begin = 0; begin < list.size(); begin += kElementsPerMessage) {
    const size_t end = std::min(list.size(), begin + kElementsPerMessage);
    const auto write = [&](nl_msg* m) {
      put_text(m, NFTA_SET_ELEM_LIST_TABLE, table_);
      put_text(m, NFTA_SET_ELEM_LIST_SET, set);
      if (set_id != 0) put_u32(m, NFTA_SET_ELEM_LIST_SET_ID, set_id);
      nest(m, NFTA_SET_ELEM_LIST_ELEMENTS, [&] {
        for (size_t i = begin; i < end; ++i) {
          nest(m, NFTA_LIST_ELEM, [&] {
            put_data(m, NFTA_SET_ELEM_KEY, list[i].first);
            if (to_chains) {
              put_verdict(m, NFTA_SET_ELEM_DATA, NFT_GOTO, list[i].second);
            } else if (!list[i].second.empty()) {
              put_data(m, NFTA_SET_ELEM_DATA, list[i].second);
            }
          });
        }
      });
    };
    message(type, type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0, cat("elements of ", set), write,
            4096 + static_cast<uint32_t>(end - begin) * kElementBytes);
  }
}

NftBatch& NftBatch::add_gotos(std::string_view map, const NftElements& key_and_chain) {
  // Chain names are long: fewer to a message.
  constexpr size_t kAtOnce = 100;
  for (size_t begin = 0; begin < key_and_chain.size(); begin += kAtOnce) {
    const size_t end = std::min(key_and_chain.size(), begin + kAtOnce);
    elements(NFT_MSG_NEWSETELEM, map, 0,
             NftElements(key_and_chain.begin() + static_cast<ptrdiff_t>(begin),
                         key_and_chain.begin() + static_cast<ptrdiff_t>(end)),
             true);
  }
  return *this;
}

NftBatch& NftBatch::add_keys(std::string_view set, const std::vector<std::string>& keys) {
  NftElements list;
  for (const auto& key : keys) list.emplace_back(key, std::string());
  elements(NFT_MSG_NEWSETELEM, set, 0, list, false);
  return *this;
}

NftBatch& NftBatch::remove_keys(std::string_view set, const std::vector<std::string>& keys) {
  NftElements list;
  for (const auto& key : keys) list.emplace_back(key, std::string());
  elements(NFT_MSG_DELSETELEM, set, 0, list, false);
  return *this;
}

uint32_t NftBatch::add_list(NftType data, uint32_t data_length,
                            const std::vector<std::string>& values) {
  const uint32_t id = ++sets_;
  message(NFT_MSG_NEWSET, NLM_F_CREATE, "list", [&](nl_msg* m) {
    put_text(m, NFTA_SET_TABLE, table_);
    put_text(m, NFTA_SET_NAME, kNftList);
    put_u32(m, NFTA_SET_FLAGS, NFT_SET_ANONYMOUS | NFT_SET_CONSTANT | NFT_SET_MAP);
    put_u32(m, NFTA_SET_KEY_TYPE, static_cast<uint32_t>(NftType::kInteger));
    put_u32(m, NFTA_SET_KEY_LEN, sizeof(uint32_t));
    put_u32(m, NFTA_SET_DATA_TYPE, static_cast<uint32_t>(data));
    put_u32(m, NFTA_SET_DATA_LEN, data_length);
    put_u32(m, NFTA_SET_ID, id);
  });
  NftElements list;
  for (uint32_t i = 0; i < values.size(); ++i) {
    // What numgen and hash leave in a register is in the machine's own order.
    list.emplace_back(std::string(reinterpret_cast<const char*>(&i), sizeof i), values[i]);
  }
  elements(NFT_MSG_NEWSETELEM, kNftList, id, list, false);
  return id;
}

NftBatch& NftBatch::add_rule(std::string_view chain, const std::function<void(NftRule&)>& build) {
  message(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, cat("rule in chain ", chain),
          [&](nl_msg* m) {
            put_text(m, NFTA_RULE_TABLE, table_);
            put_text(m, NFTA_RULE_CHAIN, chain);
            nest(m, NFTA_RULE_EXPRESSIONS, [&] {
              NftRule rule(m);
              build(rule);
            });
          });
  return *this;
}

Result<std::unique_ptr<NftSocket>> NftSocket::open() {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
  if (fd < 0) return error_from_errno(errno, "packet filter (nf_tables)");
  // A batch is one datagram, however many Services there are.
  const int bytes = kSendBufferBytes;
  (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes);
  const timeval patience{5, 0};
  (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  return std::unique_ptr<NftSocket>(new NftSocket(fd));
}

NftSocket::~NftSocket() {
  close(fd_);
}

Status NftSocket::commit(const NftBatch& batch) {
  if (batch.empty()) return {};
  const uint32_t first = sequence_;
  std::string bytes;
  append(bytes, encode(NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, 256, {}),
         sequence_++);
  for (size_t i = 0; i < batch.messages_.size(); ++i) {
    std::string message = batch.messages_[i].bytes;
    // One acknowledgement, of the last message, tells that the whole was committed.
    if (i + 1 == batch.messages_.size())
      reinterpret_cast<nlmsghdr*>(message.data())->nlmsg_flags |= NLM_F_ACK;
    append(bytes, std::move(message), sequence_++);
  }
  append(bytes, encode(NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES, 256, {}),
         sequence_++);
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  const auto sent = sendto(fd_, bytes.data(), bytes.size(), 0,
                           reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel);
  if (sent != static_cast<ssize_t>(bytes.size()))
    return error_from_errno(errno, "send to the packet filter");
  return outcome(first, batch);
}

// The kernel answers with the error of each refused message, or of the transaction under its first
// number, and in the end with the last message's acknowledgement.
Status NftSocket::outcome(uint32_t first, const NftBatch& batch) {
  Status result;
  const uint32_t last = first + static_cast<uint32_t>(batch.messages_.size());
  alignas(nlmsghdr) char buffer[16384];
  while (true) {
    const ssize_t n = recv(fd_, buffer, sizeof buffer, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      return result.ok() ? Status(error_from_errno(errno, "answer of the packet filter")) : result;
    int left = static_cast<int>(n);
    for (auto* header = reinterpret_cast<nlmsghdr*>(buffer); nlmsg_ok(header, left);
         header = nlmsg_next(header, &left)) {
      if (header->nlmsg_type != NLMSG_ERROR || header->nlmsg_seq < first ||
          header->nlmsg_seq > last)
        continue;
      const int code = -static_cast<const nlmsgerr*>(nlmsg_data(header))->error;
      const uint32_t index = header->nlmsg_seq - first;
      if (code != 0 && result.ok()) {
        result = error_from_errno(
            code,
            cat("packet filter: ", index == 0 ? "transaction" : batch.messages_[index - 1].what));
      }
      if (index == 0 || header->nlmsg_seq == last) return result;
    }
  }
}

}  // namespace minik::runtime
