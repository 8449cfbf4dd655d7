#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/seekable/table_builder.h"

namespace lade::seekable {
namespace {

/// A member of an entry: what it is called and where it goes.
struct EntryMember {
  std::string_view name;
  std::string RawEntry::*text = nullptr;
  std::uint64_t RawEntry::*number = nullptr;
};

constexpr std::string_view kXattrs = "xattrs";

constexpr std::array<EntryMember, 19> kEntryMembers = {{
    {.name = "type", .text = &RawEntry::type},
    {.name = "name", .text = &RawEntry::name},
    {.name = "linkName", .text = &RawEntry::link_name},
    {.name = "mode", .number = &RawEntry::mode},
    {.name = "size", .number = &RawEntry::size},
    {.name = "uid", .number = &RawEntry::uid},
    {.name = "gid", .number = &RawEntry::gid},
    {.name = "devMajor", .number = &RawEntry::device_major},
    {.name = "devMinor", .number = &RawEntry::device_minor},
    {.name = "modtime", .text = &RawEntry::modtime},
    {.name = "digest", .text = &RawEntry::digest},
    {.name = "offset", .number = &RawEntry::offset},
    {.name = "endOffset", .number = &RawEntry::end_offset},
    {.name = "innerOffset", .number = &RawEntry::inner_offset},
    {.name = "chunkSize", .number = &RawEntry::chunk_size},
    {.name = "chunkOffset", .number = &RawEntry::chunk_offset},
    {.name = "chunkDigest", .text = &RawEntry::chunk_digest},
    {.name = "chunkType", .text = &RawEntry::chunk_type},
    {.name = kXattrs},
}};

constexpr std::array<std::string_view, 3> kTableMembers = {"version", "entries", "tarSplitDigest"};

/// Which of `names` the member `name` is; nullopt: unknown. Another case is refused: programs read
/// it as that member.
template <typename Names, typename NameOf>
std::optional<std::size_t> known(const Names& names, std::string_view name, const NameOf& name_of) {
  std::optional<std::string> lower;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string_view candidate = name_of(names[i]);
    if (candidate == name) return i;
    if (candidate.size() != name.size()) continue;
    if (!lower) lower = lower_case(name);
    if (lower_case(candidate) == *lower) {
      throw Error(Errc::invalid_content,
                  cat("member ", quoted(std::string_view(name)), " is spelled ", candidate));
    }
  }
  return std::nullopt;
}

/// Takes the parser's events. The parser keeps its own stack on the heap.
class TableParser final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit TableParser(TableBuilder& builder) : builder_(builder) {}

  bool null() override { return true; }  // as if it were absent
  bool boolean(bool /*value*/) override { return other("a boolean"); }
  bool number_integer(number_integer_t /*value*/) override { return other("a negative number"); }
  bool number_unsigned(number_unsigned_t value) override {
    if (skipping()) return true;
    if (where_ == Where::table && member_ == 0) {
      if (value != 1) throw Error(Errc::unsupported, cat("tables of version ", value));
      versioned_ = true;
      return true;
    }
    if (where_ != Where::entry || kEntryMembers[member_].number == nullptr)
      return other("a number");
    entry_.*kEntryMembers[member_].number = value;
    return true;
  }
  bool number_float(number_float_t /*value*/, const string_t& /*spelling*/) override {
    return other("a fraction");
  }
  bool string(string_t& value) override;
  bool binary(binary_t& /*value*/) override { return false; }
  bool start_object(std::size_t /*elements*/) override;
  bool end_object() override;
  bool start_array(std::size_t /*elements*/) override;
  bool end_array() override;
  bool key(string_t& name) override;
  bool parse_error(std::size_t position, const std::string& /*last_token*/,
                   const nlohmann::json::exception& /*cause*/) override {
    throw Error(Errc::invalid_content, cat("not valid JSON at byte ", position));
  }

  TableHead finish() {
    if (!versioned_ || !listed_) throw Error(Errc::invalid_content, "no version or no entries");
    return std::move(head_);
  }

 private:
  enum class Where { document, table, entries, entry, xattrs };

  [[nodiscard]] bool skipping() const { return skipped_ != 0 || unknown_; }
  /// A value of the wrong kind, unless nobody asks for it.
  bool other(std::string_view kind) const {
    if (skipping()) return true;
    std::string_view name = "the document";
    if (where_ == Where::table) name = kTableMembers[member_];
    if (where_ == Where::entries) name = "an entry";
    if (where_ == Where::entry) name = kEntryMembers[member_].name;
    if (where_ == Where::xattrs) name = kXattrs;
    throw Error(Errc::invalid_content, cat(name, " is ", kind));
  }
  void take_once(std::uint32_t& taken, std::size_t member, std::string_view name) const {
    const std::uint32_t bit = std::uint32_t{1} << member;
    if ((taken & bit) != 0) {
      throw Error(Errc::invalid_content, cat("member ", name, " occurs twice"));
    }
    taken |= bit;
  }

  TableBuilder& builder_;
  TableHead head_ = {};
  Where where_ = Where::document;
  std::uint64_t skipped_ = 0;  // containers that are open inside an unknown member
  bool unknown_ = false;       // the member that comes is unknown
  std::size_t member_ = 0;     // in the list of names of where_
  std::uint32_t taken_from_table_ = 0;
  std::uint32_t taken_from_entry_ = 0;
  std::string xattr_ = {};
  RawEntry entry_ = {};
  std::uint64_t entries_ = 0;
  bool versioned_ = false;
  bool listed_ = false;
};

bool TableParser::key(string_t& name) {
  if (skipped_ != 0) return true;
  if (where_ == Where::xattrs) {
    xattr_ = std::move(name);
    return true;
  }
  std::optional<std::size_t> member;
  if (where_ == Where::table) {
    member = known(kTableMembers, name, [](std::string_view each) { return each; });
    if (member) take_once(taken_from_table_, *member, kTableMembers[*member]);
  } else {
    member = known(kEntryMembers, name, [](const EntryMember& each) { return each.name; });
    if (member) take_once(taken_from_entry_, *member, kEntryMembers[*member].name);
  }
  unknown_ = !member;
  member_ = member.value_or(0);
  return true;
}

bool TableParser::string(string_t& value) {
  if (skipping()) return true;
  if (where_ == Where::xattrs) {
    if (!entry_.xattrs.emplace(xattr_, std::move(value)).second) {
      throw Error(Errc::invalid_content,
                  cat("xattr ", quoted(std::string_view(xattr_)), " occurs twice"));
    }
    return true;
  }
  if (where_ == Where::table && kTableMembers[member_] == "tarSplitDigest") {
    head_.tar_split_digest = Digest::parse(value);
    return true;
  }
  if (where_ != Where::entry || kEntryMembers[member_].text == nullptr) return other("a string");
  entry_.*kEntryMembers[member_].text = std::move(value);
  return true;
}

bool TableParser::start_object(std::size_t /*elements*/) {
  if (skipping()) {
    ++skipped_;
    unknown_ = false;
    return true;
  }
  if (where_ == Where::document) {
    where_ = Where::table;
  } else if (where_ == Where::entries) {
    where_ = Where::entry;
    entry_ = {};
    taken_from_entry_ = 0;
  } else if (where_ == Where::entry && kEntryMembers[member_].name == kXattrs) {
    where_ = Where::xattrs;
  } else {
    return other("an object");
  }
  return true;
}

bool TableParser::end_object() {
  unknown_ = false;
  if (skipped_ != 0) {
    --skipped_;
  } else if (where_ == Where::xattrs) {
    where_ = Where::entry;
  } else if (where_ == Where::entry) {
    where_ = Where::entries;
    with_context([&] { return cat("entry ", entries_); }, [&] { builder_.add(std::move(entry_)); });
    ++entries_;
  } else {
    where_ = Where::document;
  }
  return true;
}

bool TableParser::start_array(std::size_t /*elements*/) {
  if (skipping()) {
    ++skipped_;
    unknown_ = false;
    return true;
  }
  if (where_ != Where::table || kTableMembers[member_] != "entries") return other("a list");
  where_ = Where::entries;
  listed_ = true;
  return true;
}

bool TableParser::end_array() {
  unknown_ = false;
  if (skipped_ != 0) {
    --skipped_;
  } else {
    where_ = Where::table;
  }
  return true;
}

}  // namespace

TableHead parse_table(std::string_view json, TableBuilder& builder) {
  TableParser parser(builder);
  nlohmann::json::sax_parse(json, &parser);
  return parser.finish();
}

}  // namespace lade::seekable
