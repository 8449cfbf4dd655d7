/// TOML documents as far as the ecosystem's configuration files use them. The library behind it is
/// included in toml_reader.cpp alone.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lade {

class TomlDocument;

/// A table of a document, which must outlive it. Absent members are empty, false or nothing;
/// members of another type throw Error{invalid_content} with their path.
class TomlTable {
 public:
  [[nodiscard]] bool has(std::string_view key) const;
  [[nodiscard]] std::string text(std::string_view key) const;
  [[nodiscard]] bool boolean(std::string_view key) const;
  [[nodiscard]] std::vector<std::string> texts(std::string_view key) const;
  /// A table, or every one of an array of tables.
  [[nodiscard]] std::vector<TomlTable> tables(std::string_view key) const;
  /// In the order of their names.
  [[nodiscard]] std::vector<std::string> keys() const;
  /// "FILE: registry[2].location", for messages.
  [[nodiscard]] std::string path(std::string_view key) const;

 private:
  friend class TomlDocument;
  TomlTable(const void* table, std::string path) : table_(table), path_(std::move(path)) {}
  const void* table_;  // toml::table
  std::string path_;
};

class TomlDocument {
 public:
  /// `file` is for messages. Throws Error{invalid_content} with the line of a mistake, and
  /// Error{limit_exceeded} for what is nested deeper than any configuration.
  TomlDocument(std::string_view text, const std::string& file);
  ~TomlDocument();
  TomlDocument(const TomlDocument&) = delete;
  TomlDocument& operator=(const TomlDocument&) = delete;
  [[nodiscard]] TomlTable root() const;

 private:
  struct Content;
  std::unique_ptr<Content> content_;
};

}  // namespace lade
