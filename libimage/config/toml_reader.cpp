#include "libimage/config/toml_reader.h"

#include <algorithm>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

// The library is read here alone, without what we do not use; nested values are parsed by
// recursion.
#define TOML_ENABLE_FORMATTERS 0
#define TOML_MAX_NESTED_VALUES 8
#include <toml++/toml.h>

namespace lade {
namespace {

// Dotted keys nest as well, and tables are destroyed by recursion.
constexpr std::ptrdiff_t kMaxDotsInLine = 256;

const toml::table& table_of(const void* table) { return *static_cast<const toml::table*>(table); }

[[noreturn]] void refuse(const std::string& path, std::string_view reason) {
  throw Error(Errc::invalid_content, cat(path, " ", reason));
}

void bound_nesting(std::string_view text, const std::string& file) {
  std::size_t number = 0;
  for (const std::string_view line : split(text, '\n')) {
    ++number;
    if (std::count(line.begin(), line.end(), '.') > kMaxDotsInLine) {
      throw Error(Errc::limit_exceeded,
                  cat(file, ": line ", number, ": more than ", kMaxDotsInLine, " dots"));
    }
  }
}

}  // namespace

struct TomlDocument::Content {
  toml::table root;
  std::string file;
};

TomlDocument::TomlDocument(std::string_view text, const std::string& file) {
  bound_nesting(text, file);
  try {
    content_ = std::make_unique<Content>(Content{toml::parse(text), printable(file)});
  } catch (const toml::parse_error& e) {
    throw Error(Errc::invalid_content, cat(printable(file), ": line ", e.source().begin.line, ": ",
                                           printable(e.description())));
  }
}

TomlDocument::~TomlDocument() = default;

TomlTable TomlDocument::root() const { return {&content_->root, cat(content_->file, ": ")}; }

bool TomlTable::has(std::string_view key) const { return table_of(table_).contains(key); }

std::string TomlTable::path(std::string_view key) const {
  if (key.empty()) return path_;
  return cat(path_, path_.ends_with(": ") ? "" : ".", printable(key));
}

std::string TomlTable::text(std::string_view key) const {
  const toml::node* node = table_of(table_).get(key);
  if (node == nullptr) return {};
  const auto* value = node->as_string();
  if (value == nullptr) refuse(path(key), "is not a text");
  return value->get();
}

bool TomlTable::boolean(std::string_view key) const {
  const toml::node* node = table_of(table_).get(key);
  if (node == nullptr) return false;
  const auto* value = node->as_boolean();
  if (value == nullptr) refuse(path(key), "is neither true nor false");
  return value->get();
}

std::vector<std::string> TomlTable::texts(std::string_view key) const {
  const toml::node* node = table_of(table_).get(key);
  if (node == nullptr) return {};
  const toml::array* values = node->as_array();
  if (values == nullptr) refuse(path(key), "is not an array");
  std::vector<std::string> out;
  for (const toml::node& value : *values) {
    const auto* text = value.as_string();
    if (text == nullptr) refuse(path(key), "is not an array of texts");
    out.push_back(text->get());
  }
  return out;
}

std::vector<TomlTable> TomlTable::tables(std::string_view key) const {
  const toml::node* node = table_of(table_).get(key);
  if (node == nullptr) return {};
  if (const toml::table* one = node->as_table()) return {TomlTable(one, path(key))};
  const toml::array* many = node->as_array();
  if (many == nullptr) refuse(path(key), "is neither a table nor an array of tables");
  std::vector<TomlTable> out;
  for (const toml::node& value : *many) {
    const toml::table* table = value.as_table();
    if (table == nullptr) refuse(path(key), "is not an array of tables");
    out.push_back(TomlTable(table, cat(path(key), "[", out.size() + 1, "]")));
  }
  return out;
}

std::vector<std::string> TomlTable::keys() const {
  std::vector<std::string> out;
  for (const auto& member : table_of(table_)) out.emplace_back(member.first.str());
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace lade
