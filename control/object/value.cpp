#include "control/object/value.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>

#include "control/base/check.h"
#include "control/object/symbols.h"
#include "control/object/text_hash.h"

namespace minik::control {

struct Value::NumberRep : Rep {  // size 0: an integer too wide for the inline form; 1: a double
  union {
    int64_t integer;
    double real;
  };
};

struct Value::ArrayRep : NodeRep {
  Value* items() { return reinterpret_cast<Value*>(this + 1); }
};

struct Value::MapRep : NodeRep {
  MapEntry* entries() { return reinterpret_cast<MapEntry*>(this + 1); }
};

namespace {

constexpr size_t kInlineMax = 7;
constexpr int64_t kIntMax = (int64_t{1} << 60) - 1;
constexpr int64_t kIntMin = -(int64_t{1} << 60);

template <typename R, typename Item>
R* allocate_node(size_t count) {
  static_assert(alignof(Item) <= alignof(R));
  auto* node = static_cast<R*>(::operator new(sizeof(R) + count * sizeof(Item)));
  CHECK(count <= UINT32_MAX);
  node->refs = 1;
  node->size = static_cast<uint32_t>(count);
  node->hash = 0;
  return node;
}

// By its size: an allocator that must find out first looks into memory that is long cold. (std::allocator, because
// clang++ has the delete that takes a size only when it is asked for it.)
template <typename R>
void free_node(R* node, size_t item_size) {
  std::allocator<std::byte>().deallocate(reinterpret_cast<std::byte*>(node), sizeof(R) + node->size * item_size);
}

}  // namespace

Value::Value(int64_t number) {
  if (number >= kIntMin && number <= kIntMax) {
    bits_ = (static_cast<uintptr_t>(number) << 3) | kIntTag;
    return;
  }
  auto* rep = new NumberRep{{1, 0}, {}};
  rep->integer = number;
  bits_ = reinterpret_cast<uintptr_t>(rep) | kNumberTag;
}

Value::Value(double number) {
  auto* rep = new NumberRep{{1, 1}, {}};
  rep->real = number;
  bits_ = reinterpret_cast<uintptr_t>(rep) | kNumberTag;
}

Value::Value(std::string_view text) {
  if (const auto symbol = find_symbol(text)) {
    bits_ = (static_cast<uintptr_t>(*symbol) << 3) | kSymbolTag;
    return;
  }
  if (text.size() <= kInlineMax) {
    // Byte 0 holds the tag and the length, bytes 1 to 7 the text: little-endian by design.
    unsigned char bytes[8] = {static_cast<unsigned char>(kInlineTag | text.size() << 3)};
    std::memcpy(bytes + 1, text.data(), text.size());
    std::memcpy(&bits_, bytes, sizeof bits_);
    return;
  }
  CHECK(text.size() <= UINT32_MAX);
  auto* rep = static_cast<StringRep*>(::operator new(sizeof(StringRep) + text.size()));
  rep->refs = 1;
  rep->size = static_cast<uint32_t>(text.size());
  std::memcpy(rep->bytes(), text.data(), text.size());
  bits_ = reinterpret_cast<uintptr_t>(rep) | kStringTag;
}

Value::Value(const Key& key) : Value(key.text_) {}

void Value::destroy() {
  switch (tag()) {
    case kArrayTag: {
      auto* node = rep<ArrayRep>();
      for (uint32_t i = 0; i < node->size; ++i) node->items()[i].~Value();
      free_node(node, sizeof(Value));
      break;
    }
    case kMapTag: {
      auto* node = rep<MapRep>();
      for (uint32_t i = 0; i < node->size; ++i) node->entries()[i].~MapEntry();
      free_node(node, sizeof(MapEntry));
      break;
    }
    case kNumberTag: delete rep<NumberRep>(); break;
    default: free_node(rep<StringRep>(), 1);
  }
}

const Value& Value::absent() { return kAbsentValue; }

Value Value::array(std::vector<Value> items) {
  auto* node = allocate_node<ArrayRep, Value>(items.size());
  for (size_t i = 0; i < items.size(); ++i) {
    CHECK(!items[i].is_absent()) << "absent item " << i;
    new (node->items() + i) Value(std::move(items[i]));
  }
  return Value(FromBits{}, reinterpret_cast<uintptr_t>(node) | kArrayTag);
}

// Takes the entries, which must be sorted, unique and without absent values.
Value Value::finish_map(MapEntry* entries, size_t count) {
  auto* node = allocate_node<MapRep, MapEntry>(count);
  for (size_t i = 0; i < count; ++i) new (node->entries() + i) MapEntry(std::move(entries[i]));
  return Value(FromBits{}, reinterpret_cast<uintptr_t>(node) | kMapTag);
}

Value Value::map(std::vector<MapEntry> entries) {
  const auto by_key = [](const MapEntry& a, const MapEntry& b) { return a.key < b.key; };
  if (!std::is_sorted(entries.begin(), entries.end(), by_key)) {
    std::stable_sort(entries.begin(), entries.end(), by_key);
  }
  size_t kept = 0;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (kept > 0 && entries[kept - 1].key == entries[i].key) --kept;
    if (entries[i].value.is_absent()) continue;
    if (kept != i) entries[kept] = std::move(entries[i]);
    ++kept;
  }
  return finish_map(entries.data(), kept);
}

// As above, without a vector in between: this is how components write documents.
Value Value::map(std::initializer_list<MapEntry> entries) {
  constexpr size_t kSmall = 24;
  if (entries.size() > kSmall) return map(std::vector<MapEntry>(entries));
  const MapEntry* sorted[kSmall];
  size_t count = 0;
  for (const auto& entry : entries) {
    size_t at = count;
    while (at > 0 && entry.key < sorted[at - 1]->key) --at;
    if (at > 0 && sorted[at - 1]->key == entry.key) {
      sorted[at - 1] = &entry;
      continue;
    }
    std::move_backward(sorted + at, sorted + count, sorted + count + 1);
    sorted[at] = &entry;
    ++count;
  }
  const auto kept = static_cast<size_t>(
      std::count_if(sorted, sorted + count, [](const MapEntry* entry) { return !entry->value.is_absent(); }));
  auto* node = allocate_node<MapRep, MapEntry>(kept);
  MapEntry* to = node->entries();
  for (size_t i = 0; i < count; ++i) {
    if (!sorted[i]->value.is_absent()) new (to++) MapEntry(*sorted[i]);
  }
  return Value(FromBits{}, reinterpret_cast<uintptr_t>(node) | kMapTag);
}

Value Value::empty_map() {
  static const Value empty = map(std::vector<MapEntry>());
  return empty;
}

Value Value::empty_array() {
  static const Value empty = array({});
  return empty;
}

ValueType Value::type() const {
  switch (tag()) {
    case kIntTag: return ValueType::kInt;
    case kInlineTag:
    case kStringTag:
    case kSymbolTag: return ValueType::kString;
    case kArrayTag: return ValueType::kArray;
    case kMapTag: return ValueType::kMap;
    case kNumberTag: return rep<NumberRep>()->size == 0 ? ValueType::kInt : ValueType::kDouble;
    default:
      if (bits_ == 0) return ValueType::kAbsent;
      return bits_ == kNullBits ? ValueType::kNull : ValueType::kBool;
  }
}

bool Value::is_string() const {
  const uintptr_t t = tag();
  return t == kSymbolTag || t == kInlineTag || t == kStringTag;
}

bool Value::as_bool(bool fallback) const { return is_bool() ? bits_ == kTrueBits : fallback; }

int64_t Value::as_int(int64_t fallback) const {
  if (tag() == kIntTag) return static_cast<int64_t>(bits_) >> 3;
  if (tag() == kNumberTag && rep<NumberRep>()->size == 0) return rep<NumberRep>()->integer;
  return fallback;
}

double Value::as_double(double fallback) const {
  if (tag() == kNumberTag && rep<NumberRep>()->size == 1) return rep<NumberRep>()->real;
  return is_int() ? static_cast<double>(as_int()) : fallback;
}

Key::Key(const Value& text) : text_(text) { CHECK(text.is_string()); }


const Value& Value::search(const Key& key) const { return get(key.text()); }

const Value& Value::get(std::string_view key) const {
  const auto all = entries();
  const auto found = std::lower_bound(all.begin(), all.end(), key,
                                      [](const MapEntry& e, std::string_view k) { return e.key.text() < k; });
  return found != all.end() && found->key.text() == key ? found->value : kAbsentValue;
}

const Value& Value::at(std::initializer_list<Key> path) const {
  const Value* value = this;
  for (const auto& key : path) value = &(*value)[key];
  return *value;
}

Value Value::with(const Key& key, Value value) const {
  const auto all = entries();
  const auto at = std::lower_bound(all.begin(), all.end(), key,
                                   [](const MapEntry& e, const Key& k) { return e.key < k; });
  const bool found = at != all.end() && at->key == key;
  const bool kept = !value.is_absent();
  if (!found && !kept) return is_map() ? *this : empty_map();
  auto* node = allocate_node<MapRep, MapEntry>(all.size() - (found ? 1 : 0) + (kept ? 1 : 0));
  MapEntry* to = std::uninitialized_copy(all.begin(), at, node->entries());
  if (kept) new (to++) MapEntry{key, std::move(value)};
  std::uninitialized_copy(found ? at + 1 : at, all.end(), to);
  return Value(FromBits{}, reinterpret_cast<uintptr_t>(node) | kMapTag);
}

Value Value::with_at(std::initializer_list<Key> path, Value value) const {
  CHECK(path.size() > 0);
  const std::span<const Key> keys(path.begin(), path.size());
  const auto replace = [&](const auto& self, const Value& node, size_t depth) -> Value {
    if (depth + 1 == keys.size()) return node.with(keys[depth], value);
    return node.with(keys[depth], self(self, node[keys[depth]], depth + 1));
  };
  return replace(replace, *this, 0);
}

bool Value::equals(const Value& other) const {
  if (tag() != other.tag()) return false;
  switch (tag()) {
    case kStringTag: return as_string() == other.as_string();
    case kNumberTag: {
      const auto* a = rep<NumberRep>();
      const auto* b = other.rep<NumberRep>();
      if (a->size != b->size) return false;
      return a->size == 0 ? a->integer == b->integer : a->real == b->real;
    }
    default: break;
  }
  auto* a = rep<NodeRep>();
  auto* b = other.rep<NodeRep>();
  if (a->size != b->size) return false;
  const uint64_t hash_a = std::atomic_ref<uint64_t>(a->hash).load(std::memory_order_relaxed);
  const uint64_t hash_b = std::atomic_ref<uint64_t>(b->hash).load(std::memory_order_relaxed);
  if (hash_a != 0 && hash_b != 0 && hash_a != hash_b) return false;
  if (is_array()) return std::ranges::equal(items(), other.items());
  return std::ranges::equal(entries(), other.entries(), [](const MapEntry& x, const MapEntry& y) {
    return x.key == y.key && x.value == y.value;
  });
}

uint64_t Value::hash() const {
  uint64_t h = 0;
  switch (tag()) {
    case kSymbolTag: return symbol_hash(static_cast<uint32_t>(bits_ >> 3));
    case kInlineTag:
    case kStringTag: return text_hash(as_string());
    case kArrayTag:
    case kMapTag: {
      std::atomic_ref<uint64_t> cached(rep<NodeRep>()->hash);
      if ((h = cached.load(std::memory_order_relaxed)) != 0) return h;
      h = tag();
      for (const auto& item : items()) h = mix_hash(h * 31 + item.hash());
      for (const auto& [key, value] : entries()) h = mix_hash(h * 31 + key.hash()) + value.hash();
      h = mix_hash(h);
      if (h == 0) h = 1;
      cached.store(h, std::memory_order_relaxed);
      return h;
    }
    default:
      if (type() == ValueType::kDouble) {
        const double real = as_double();
        uint64_t raw;
        std::memcpy(&raw, &real, sizeof raw);
        h = mix_hash(raw ^ 0xd0ULL);
      } else if (type() == ValueType::kInt) {
        h = mix_hash(static_cast<uint64_t>(as_int()) ^ 0x1e7ULL);
      } else {
        h = mix_hash(bits_ ^ 0xabULL);
      }
      return h == 0 ? 1 : h;
  }
}

size_t Value::heap_bytes() const {
  // malloc's own header of eight bytes and rounding to sixteen are part of the price.
  const auto block = [](size_t bytes) { return std::max<size_t>(32, (bytes + 8 + 15) / 16 * 16); };
  switch (tag()) {
    case kStringTag: return block(sizeof(StringRep) + rep<StringRep>()->size);
    case kNumberTag: return block(sizeof(NumberRep));
    case kArrayTag: {
      size_t bytes = block(sizeof(ArrayRep) + size() * sizeof(Value));
      for (const auto& item : items()) bytes += item.heap_bytes();
      return bytes;
    }
    case kMapTag: {
      size_t bytes = block(sizeof(MapRep) + size() * sizeof(MapEntry));
      for (const auto& entry : entries()) {
        bytes += entry.key.text_.heap_bytes() + entry.value.heap_bytes();
      }
      return bytes;
    }
    default: return 0;
  }
}

MapBuilder::MapBuilder(const Value& base) {
  const auto all = base.entries();
  entries_.reserve(all.size() + 4);
  entries_.assign(all.begin(), all.end());
}

MapBuilder& MapBuilder::set(const Key& key, Value value) {
  const auto at = std::lower_bound(entries_.begin(), entries_.end(), key,
                                   [](const MapEntry& e, const Key& k) { return e.key < k; });
  const bool found = at != entries_.end() && at->key == key;
  if (value.is_absent()) {
    if (found) entries_.erase(at);
  } else if (found) {
    at->value = std::move(value);
  } else {
    entries_.insert(at, MapEntry{key, std::move(value)});
  }
  return *this;
}

const Value& MapBuilder::get(const Key& key) const {
  const auto at = std::lower_bound(entries_.begin(), entries_.end(), key,
                                   [](const MapEntry& e, const Key& k) { return e.key < k; });
  return at != entries_.end() && at->key == key ? at->value : Value::absent();
}

Value MapBuilder::build() && { return Value::finish_map(entries_.data(), entries_.size()); }

}  // namespace minik::control
