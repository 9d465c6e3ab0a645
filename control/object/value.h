// Value: an immutable JSON-like document that shares structure, and Key: a map key.
//
// Everything the control plane stores, watches, caches and decides on is a Value. It is eight bytes:
// small things (null, booleans, integers to 61 bits, strings to 7 bytes, and the schema's own words,
// called symbols) live inside, the rest is a counted pointer to a node that never changes once made.
//
//   Value --> MapRep   { refs, size, hash, (Key, Value)... sorted by key bytes }
//         --> ArrayRep { refs, size, hash, Value... }
//         --> StringRep{ refs, size, bytes }
//         --> NumberRep{ refs, a double or a wide integer }
//
// Invariants: a document is a tree of finished nodes, so it has no cycles; map keys are unique and
// sorted; equal strings have one representation (symbol, else inline, else StringRep), so most
// comparisons are of eight bytes; hash() depends on content only and is the same on every machine.
//
// Absent is not null: a missing field reads as an absent Value, JSON's null as kNull (patches need the
// difference). Absent values are never stored in a node.
//
// Threads: documents may be read and released by any thread; counts turn atomic as soon as the process
// has a second thread. Borrowing: `const Value&` is the view; what a lookup returns lives as long as
// the document it was found in. as_string() of a short string points into the Value itself, so never
// take it from a temporary.
#pragma once

#include <sys/single_threaded.h>

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minik::control {

class Key;
class Value;
struct MapEntry;

// The words of the schema, by their index (symbols.h).
extern const std::string_view kSymbolTexts[];

enum class ValueType : uint8_t { kAbsent, kNull, kBool, kInt, kDouble, kString, kArray, kMap };

class Value {
 public:
  constexpr Value() = default;
  constexpr Value(std::nullptr_t) : bits_(kNullBits) {}                    // NOLINT: implicit
  constexpr Value(bool b) : bits_(b ? kTrueBits : kFalseBits) {}           // NOLINT
  Value(int number) : Value(static_cast<int64_t>(number)) {}               // NOLINT
  Value(int64_t number);                                                   // NOLINT
  Value(double number);                                                    // NOLINT
  Value(std::string_view text);                                            // NOLINT
  Value(const std::string& text) : Value(std::string_view(text)) {}        // NOLINT
  Value(const char* text) : Value(std::string_view(text)) {}               // NOLINT
  Value(const Key& key);                                                   // NOLINT
  template <typename T>
  Value(T*) = delete;  // a pointer would silently become a bool

  Value(const Value& other) : bits_(other.bits_) {
    if (on_heap()) retain();
  }
  constexpr Value(Value&& other) noexcept : bits_(std::exchange(other.bits_, 0)) {}
  Value& operator=(const Value& other) {
    Value copy(other);
    std::swap(bits_, copy.bits_);
    return *this;
  }
  Value& operator=(Value&& other) noexcept {
    std::swap(bits_, other.bits_);
    return *this;
  }
  constexpr ~Value() {
    if (on_heap()) release();
  }

  static Value array(std::vector<Value> items);
  // Entries in any order; an absent value leaves its entry out, the last of two equal keys wins.
  static Value map(std::vector<MapEntry> entries);
  static Value map(std::initializer_list<MapEntry> entries);
  static const Value& absent();
  static Value empty_map();
  static Value empty_array();

  ValueType type() const;
  bool is_absent() const { return bits_ == 0; }
  bool is_null() const { return bits_ == kNullBits; }
  // Neither absent nor null: the field says something.
  bool has_value() const { return bits_ != 0 && bits_ != kNullBits; }
  bool is_bool() const { return bits_ == kTrueBits || bits_ == kFalseBits; }
  bool is_int() const { return type() == ValueType::kInt; }
  bool is_number() const { return is_int() || type() == ValueType::kDouble; }
  bool is_string() const;
  bool is_symbol() const { return tag() == kSymbolTag; }
  bool is_array() const { return tag() == kArrayTag; }
  bool is_map() const { return tag() == kMapTag; }

  // Each reader answers the fallback (or empty) when the value is of another type: what arrives from
  // clients is validated against the schema before anyone reads it through these.
  bool as_bool(bool fallback = false) const;
  int64_t as_int(int64_t fallback = 0) const;
  double as_double(double fallback = 0) const;  // integers too
  std::string_view as_string(std::string_view fallback = {}) const&;
  std::string_view as_string(std::string_view fallback = {}) && = delete;
  std::string string() const { return std::string(static_cast<const Value&>(*this).as_string()); }

  // Number of items or entries; 0 for scalars.
  size_t size() const;
  bool empty() const { return size() == 0; }
  std::span<const Value> items() const;        // empty for anything but an array
  std::span<const MapEntry> entries() const;   // empty for anything but a map

  // Absent when this is no map or has no such key.
  const Value& operator[](const Key& key) const;
  const Value& get(std::string_view key) const;
  // Nested maps: pod.at({keys::kSpec, keys::kNodeName}).
  const Value& at(std::initializer_list<Key> path) const;
  bool contains(std::string_view key) const { return !get(key).is_absent(); }

  // The same map with one entry replaced, added, or (by an absent value) removed. On an absent or null
  // receiver they start from an empty map.
  [[nodiscard]] Value with(const Key& key, Value value) const;
  [[nodiscard]] Value with_at(std::initializer_list<Key> path, Value value) const;
  [[nodiscard]] Value without(const Key& key) const { return with(key, Value()); }

  // Deep equality, cheap where structure is shared. 1 and 1.0 differ.
  friend bool operator==(const Value& a, const Value& b) {
    return a.bits_ == b.bits_ || (a.on_heap() && b.on_heap() && a.equals(b));
  }
  // Same node, not only same content: the key of memo tables over shared subtrees.
  bool same_node(const Value& other) const { return bits_ == other.bits_; }
  uintptr_t identity() const { return bits_; }

  // Content hash, cached in maps and arrays. Never 0.
  uint64_t hash() const;

  // Bytes of heap reachable from here as if nothing were shared: an upper bound, for bench/.
  size_t heap_bytes() const;

 private:
  friend class Key;
  friend class MapBuilder;
  friend class SubtreePool;

  static constexpr uintptr_t kTagMask = 7;
  static constexpr uintptr_t kImmediateTag = 0, kIntTag = 1, kInlineTag = 2, kStringTag = 3,
                             kArrayTag = 4, kMapTag = 5, kSymbolTag = 6, kNumberTag = 7;
  static constexpr uintptr_t kNullBits = 1 << 3, kFalseBits = 2 << 3, kTrueBits = 3 << 3;

  struct FromBits {};
  constexpr Value(FromBits, uintptr_t bits) : bits_(bits) {}

  constexpr uintptr_t tag() const { return bits_ & kTagMask; }
  constexpr bool on_heap() const {
    const uintptr_t t = tag();
    return t == kStringTag || t == kArrayTag || t == kMapTag || t == kNumberTag;
  }
  template <typename Rep>
  Rep* rep() const {
    return reinterpret_cast<Rep*>(bits_ & ~kTagMask);
  }
  // The heads of what a pointer leads to; value.cpp knows the rest.
  struct Rep {
    uint32_t refs;
    uint32_t size;
  };
  // Of arrays and maps. The hash is filled on first use; 0 means not yet. Two threads may compute it
  // at once and write the same number, hence the relaxed atomic access.
  struct NodeRep : Rep {
    uint64_t hash;
  };
  // Its text follows.
  struct StringRep : Rep {
    char* bytes() { return reinterpret_cast<char*>(this + 1); }
  };
  struct NumberRep;
  struct ArrayRep;
  struct MapRep;

  void retain() const {
    if (__libc_single_threaded) {
      ++rep<Rep>()->refs;
    } else {
      std::atomic_ref<uint32_t>(rep<Rep>()->refs).fetch_add(1, std::memory_order_relaxed);
    }
  }
  bool drop() {
    if (__libc_single_threaded) return --rep<Rep>()->refs == 0;
    return std::atomic_ref<uint32_t>(rep<Rep>()->refs).fetch_sub(1, std::memory_order_acq_rel) == 1;
  }
  void release() {
    if (drop()) destroy();
  }
  void destroy();
  const Value& search(const Key& key) const;
  bool equals(const Value& other) const;
  static Value finish_map(MapEntry* entries, size_t count);

  uintptr_t bits_ = 0;
};
static_assert(sizeof(Value) == 8);

// A map key: a Value that is a string. Keys that the schema knows are symbols and compare as integers;
// the generated control/object/keys.h names them: keys::kMetadata.
class Key {
 public:
  Key(std::string_view text) : text_(text) {}                  // NOLINT: implicit
  Key(const char* text) : text_(std::string_view(text)) {}     // NOLINT
  Key(const std::string& text) : text_(text) {}                // NOLINT
  // Shares a string Value; CHECKs that it is one.
  explicit Key(const Value& text);
  static constexpr Key symbol(uint32_t index) {
    return Key(FromSymbol{},
               Value(Value::FromBits{}, (static_cast<uintptr_t>(index) << 3) | Value::kSymbolTag));
  }

  std::string_view text() const& { return text_.as_string(); }
  std::string_view text() && = delete;
  uint64_t hash() const { return text_.hash(); }

  friend bool operator==(const Key& a, const Key& b) { return a.text_ == b.text_; }
  // Bytewise order of the text, in which the table of symbols stands, too.
  friend bool operator<(const Key& a, const Key& b) {
    if (a.text_.is_symbol() && b.text_.is_symbol()) return a.text_.identity() < b.text_.identity();
    return a.text() < b.text();
  }

 private:
  friend class Value;
  friend class MapBuilder;
  struct FromSymbol {};
  constexpr Key(FromSymbol, Value text) : text_(std::move(text)) {}
  Value text_;
};

struct MapEntry {
  Key key;
  Value value;
};
static_assert(sizeof(MapEntry) == 16);

inline constexpr Value kAbsentValue;

// Most are words of the schema, and most readers compare what they get with one.
inline std::string_view Value::as_string(std::string_view fallback) const& {
  switch (tag()) {
    case kSymbolTag: return kSymbolTexts[bits_ >> 3];
    case kInlineTag: return {reinterpret_cast<const char*>(&bits_) + 1, static_cast<size_t>(bits_ >> 3 & 7)};
    case kStringTag: return {rep<StringRep>()->bytes(), rep<StringRep>()->size};
    default: return fallback;
  }
}

inline size_t Value::size() const {
  return tag() == kArrayTag || tag() == kMapTag ? rep<Rep>()->size : 0;
}

inline std::span<const Value> Value::items() const {
  if (!is_array()) return {};
  return {reinterpret_cast<const Value*>(rep<NodeRep>() + 1), rep<Rep>()->size};
}

inline std::span<const MapEntry> Value::entries() const {
  if (!is_map()) return {};
  return {reinterpret_cast<const MapEntry*>(rep<NodeRep>() + 1), rep<Rep>()->size};
}

// Most maps are small and most keys are symbols: comparing eight bytes in a row beats a search.
inline const Value& Value::operator[](const Key& key) const {
  constexpr size_t kScanMax = 24;
  if (!key.text_.is_symbol()) return search(key);
  const auto all = entries();
  if (all.size() > kScanMax) return search(key);
  for (const auto& entry : all) {
    if (entry.key.text_.bits_ == key.text_.bits_) return entry.value;
  }
  return kAbsentValue;
}

// Collects entries for a new map, usually a changed copy of an old one; cheaper than chained with().
class MapBuilder {
 public:
  MapBuilder() = default;
  explicit MapBuilder(const Value& base);

  MapBuilder& set(const Key& key, Value value);  // absent removes
  MapBuilder& erase(const Key& key) { return set(key, Value()); }
  const Value& get(const Key& key) const;
  bool empty() const { return entries_.empty(); }
  Value build() &&;

 private:
  std::vector<MapEntry> entries_;  // sorted and unique at all times
};

}  // namespace minik::control
