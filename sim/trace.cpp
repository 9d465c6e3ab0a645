#include "sim/trace.h"

#include <openssl/evp.h>

#include "control/base/text.h"
#include "control/object/keys.h"

namespace minik::sim {

using control::Value;
namespace keys = control::keys;

struct Trace::Digest {
  Digest() : context(EVP_MD_CTX_new()) { EVP_DigestInit_ex(context, EVP_sha256(), nullptr); }
  ~Digest() { EVP_MD_CTX_free(context); }
  EVP_MD_CTX* context;
};

Trace::Trace(const control::Schema& schema) : schema_(schema), digest_(std::make_unique<Digest>()) {}
Trace::~Trace() = default;

namespace {

// Entries are hashed together: a call of the library costs as much as one of them.
constexpr size_t kHashedTogether = 16 << 10;

// The first letter of an entry: a day of a large cluster has a hundred million of them.
constexpr char kPut = 'p', kDelete = 'd', kDelivery = 'A';  // a delivery's type is counted from there

template <typename Number>
void append(std::string& out, Number number) {
  char bytes[sizeof(Number)];
  for (size_t i = 0; i < sizeof bytes; ++i) bytes[i] = static_cast<char>(number >> (8 * i));
  out.append(bytes, sizeof bytes);
}

void append(std::string& out, std::string_view text) {
  append(out, static_cast<uint16_t>(text.size()));
  out += text;
}

}  // namespace

void Trace::add(char what, Instant now, std::string_view who, const Value& object, uint64_t number) {
  const Value& metadata = object[keys::kMetadata];
  buffer_ += what;
  append(buffer_, static_cast<uint64_t>(now.ns));
  append(buffer_, number);
  append(buffer_, who);
  append(buffer_, metadata[keys::kNamespace].as_string());
  append(buffer_, metadata[keys::kName].as_string());
  if (buffer_.size() >= kHashedTogether) {
    EVP_DigestUpdate(digest_->context, buffer_.data(), buffer_.size());
    buffer_.clear();
  }
  ++entries_;
}

void Trace::on_write(Instant now, const control::LogRecord& record) {
  const bool put = record.what == control::LogRecord::Kind::kPut;
  add(put ? kPut : kDelete, now, schema_.resource(record.kind).plural, record.object, record.object.hash());
  for (auto* listener : listeners_) listener->on_write(now, record);
}

void Trace::on_delivery(Instant now, const std::string& component, const control::WatchEvent& event) {
  add(static_cast<char>(kDelivery + static_cast<int>(event.type)), now, component, event.object,
      control::object_revision(event.object).value);
  for (auto* listener : listeners_) listener->on_delivery(now, component, event);
}

std::string Trace::hash() const {
  EVP_MD_CTX* copy = EVP_MD_CTX_new();
  EVP_MD_CTX_copy_ex(copy, digest_->context);
  EVP_DigestUpdate(copy, buffer_.data(), buffer_.size());
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_DigestFinal_ex(copy, bytes, &size);
  EVP_MD_CTX_free(copy);
  return to_hex({reinterpret_cast<const char*>(bytes), size});
}

}  // namespace minik::sim
