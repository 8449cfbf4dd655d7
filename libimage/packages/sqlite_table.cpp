#include "libimage/packages/sqlite_table.h"

#include <algorithm>
#include <optional>

#include "libimage/base/bytes.h"
#include "libimage/base/error.h"
#include "libimage/base/text.h"

// The file format: sqlite.org/fileformat2.html, sections 1.3 (header), 1.6 (b-tree pages) and 2.1
// (records).
namespace lade::packages {
namespace {

constexpr std::uint64_t kMaxDatabaseBytes = std::uint64_t{1} << 30U;
constexpr std::size_t kMaxDepth = 20;  // of a tree of 2^32 pages
constexpr std::size_t kMaxColumns = 2000;
constexpr std::uint32_t kSchemaPage = 1;

[[noreturn]] void damaged(std::string_view what) {
  throw Error(Errc::invalid_content, cat("SQLite database: ", what));
}

/// Big-endian numbers and SQLite's varints, one after another.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : rest_(bytes) {}
  [[nodiscard]] std::size_t left() const { return rest_.size(); }
  std::string_view take(std::uint64_t count) {
    if (count > rest_.size()) damaged("a record or page is cut short");
    const std::string_view out = rest_.substr(0, static_cast<std::size_t>(count));
    rest_.remove_prefix(out.size());
    return out;
  }
  std::uint64_t number(std::size_t bytes) {
    std::uint64_t value = 0;
    for (const char c : take(bytes)) value = value << 8U | static_cast<unsigned char>(c);
    return value;
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) {
      const std::uint64_t byte = number(1);
      value = value << 7U | (byte & 0x7FU);
      if ((byte & 0x80U) == 0) return value;
    }
    return value << 8U | number(1);
  }

 private:
  std::string_view rest_;
};

SqliteValue value_of(Cursor& body, std::uint64_t serial) {
  static constexpr std::size_t kIntegerBytes[] = {0, 1, 2, 3, 4, 6, 8};
  if (serial == 0) return {};
  if (serial <= 6) {
    const std::size_t bytes = kIntegerBytes[serial];
    std::uint64_t value = body.number(bytes);
    const auto bits = static_cast<unsigned>(bytes * 8);
    if (bits < 64 && (value >> (bits - 1)) != 0) value |= ~std::uint64_t{0} << bits;
    return static_cast<std::int64_t>(value);
  }
  if (serial == 7) {
    body.take(8);
    return {};
  }
  if (serial == 8 || serial == 9) return static_cast<std::int64_t>(serial - 8);
  if (serial < 12) damaged("a column has a reserved type");
  return std::string(body.take((serial - 12) / 2));
}

std::vector<SqliteValue> record_of(std::string_view payload) {
  Cursor header(payload);
  const std::uint64_t size = header.varint();
  if (size > payload.size()) damaged("a record's header is longer than the record");
  const std::size_t used = payload.size() - header.left();
  if (size < used) damaged("a record's header is too short");
  header = Cursor(payload.substr(used, static_cast<std::size_t>(size) - used));
  Cursor body(payload.substr(static_cast<std::size_t>(size)));
  std::vector<SqliteValue> columns;
  while (header.left() > 0) {
    if (columns.size() == kMaxColumns) damaged("a record has too many columns");
    columns.push_back(value_of(body, header.varint()));
  }
  return columns;
}

class Database {
 public:
  using Row = std::function<void(const std::vector<SqliteValue>&)>;

  explicit Database(File& file) : file_(file) {
    if (file.size() > kMaxDatabaseBytes)
      throw Error(Errc::limit_exceeded, "SQLite database: larger than 1 GiB");
    const std::string header = bytes_at(0, 100);
    if (!header.starts_with(std::string_view("SQLite format 3\0", 16))) damaged("no such file");
    Cursor fields(std::string_view(header).substr(16));
    page_bytes_ = static_cast<std::size_t>(fields.number(2));
    if (page_bytes_ == 1) page_bytes_ = 65536;
    if (page_bytes_ < 512 || (page_bytes_ & (page_bytes_ - 1)) != 0) damaged("bad page size");
    const auto reserved = static_cast<unsigned char>(header[20]);
    usable_ = page_bytes_ - reserved;
    if (usable_ < 480) damaged("bad page size");
    seen_.resize(static_cast<std::size_t>(file.size() / page_bytes_) + 1);
  }

  std::optional<std::uint32_t> table(std::string_view name) {
    std::optional<std::uint32_t> found;
    rows(kSchemaPage, [&](const std::vector<SqliteValue>& row) {
      if (row.size() < 4) return;
      const auto* kind = std::get_if<std::string>(&row[0]);
      const auto* called = std::get_if<std::string>(&row[1]);
      const auto* root = std::get_if<std::int64_t>(&row[3]);
      if (kind == nullptr || called == nullptr || root == nullptr) return;
      if (*kind == "table" && *called == name) found = static_cast<std::uint32_t>(*root);
    });
    return found;
  }

  void rows(std::uint32_t root, const Row& row) { walk(root, 0, row); }

 private:
  std::string bytes_at(std::uint64_t offset, std::size_t count) {
    std::string out(count, '\0');
    const std::span<char> chars(out);
    if (file_.read_at(offset, std::as_writable_bytes(chars)) != count) damaged("cut short");
    return out;
  }

  std::string page(std::uint64_t number) {
    if (number == 0 || number > file_.size() / page_bytes_) damaged("a page is not in the file");
    if (seen_[static_cast<std::size_t>(number)]) damaged("a page is used twice");
    seen_[static_cast<std::size_t>(number)] = true;
    return bytes_at((number - 1) * page_bytes_, page_bytes_);
  }

  void walk(std::uint64_t number, std::size_t depth, const Row& row) {
    if (depth > kMaxDepth) damaged("a table is too deep");
    const std::string content = page(number);
    const std::string_view bytes(content);
    Cursor header(bytes.substr(number == kSchemaPage ? 100 : 0));
    const std::uint64_t kind = header.number(1);
    header.take(2);
    const std::uint64_t cells = header.number(2);
    header.take(3);
    constexpr std::uint64_t kInterior = 0x05;
    constexpr std::uint64_t kLeaf = 0x0d;
    if (kind != kInterior && kind != kLeaf) damaged("a page is none of a table");
    const std::uint64_t last = kind == kInterior ? header.number(4) : 0;
    for (std::uint64_t i = 0; i < cells; ++i) {
      const std::uint64_t at = header.number(2);
      if (at >= usable_) damaged("a cell is outside its page");
      Cursor cell(
          bytes.substr(static_cast<std::size_t>(at), usable_ - static_cast<std::size_t>(at)));
      if (kind == kInterior) {
        walk(cell.number(4), depth + 1, row);
      } else {
        const std::uint64_t size = cell.varint();
        (void)cell.varint();  // the row's id
        row(record_of(payload(cell, size)));
      }
    }
    if (kind == kInterior) walk(last, depth + 1, row);
  }

  /// The rest of a payload that does not fit its page is in a list of overflow pages.
  std::string payload(Cursor& cell, std::uint64_t size) {
    if (size > file_.size()) damaged("a record is longer than the file");
    if (size <= usable_ - 35) return std::string(cell.take(size));
    const std::size_t least = (usable_ - 12) * 32 / 255 - 23;
    const std::uint64_t wanted = least + (size - least) % (usable_ - 4);
    std::string out(cell.take(wanted <= usable_ - 35 ? wanted : least));
    std::uint64_t next = cell.number(4);
    while (out.size() < size) {
      const std::string content = page(next);
      Cursor overflow(std::string_view(content).substr(0, usable_));
      next = overflow.number(4);
      out += overflow.take(std::min<std::uint64_t>(size - out.size(), usable_ - 4));
    }
    return out;
  }

  File& file_;
  std::size_t page_bytes_ = 0;
  std::size_t usable_ = 0;  // of a page
  std::vector<bool> seen_;
};

}  // namespace

void for_each_sqlite_row(File& file, std::string_view table,
                         const std::function<void(const std::vector<SqliteValue>&)>& row) {
  Database database(file);
  const std::optional<std::uint32_t> root = database.table(table);
  if (!root) throw Error(Errc::not_found, cat("SQLite database: no table ", quoted(table)));
  database.rows(*root, row);
}

}  // namespace lade::packages
