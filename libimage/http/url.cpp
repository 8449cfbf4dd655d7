#include "libimage/http/url.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include <arpa/inet.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade {
namespace {

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_host_name(std::string_view host) {
  return !host.empty() && host.size() <= 253 && std::all_of(host.begin(), host.end(), [](char c) {
    return is_alphanumeric(c) || c == '.' || c == '-' || c == '_';
  });
}

bool is_ipv6_literal(std::string_view host) {
  if (host.size() < 4 || host.front() != '[' || host.back() != ']') return false;
  in6_addr address{};
  return ::inet_pton(AF_INET6, std::string(host.substr(1, host.size() - 2)).c_str(), &address) == 1;
}

std::uint16_t default_port(std::string_view scheme) { return scheme == "https" ? 443 : 80; }

[[noreturn]] void refuse(std::string_view reason) {
  throw Error(Errc::invalid_content, cat("bad URL: ", reason));
}

// RFC 3986, section 5.2.4.
std::string without_dot_segments(std::string_view path) {
  std::vector<std::string_view> kept;
  bool directory = false;
  for (const std::string_view segment : split(path.substr(1), '/')) {
    directory = segment == "." || segment == "..";
    if (segment == "..") {
      if (!kept.empty()) kept.pop_back();
    } else if (segment != ".") {
      kept.push_back(segment);
    }
  }
  std::string out;
  for (const std::string_view segment : kept) out += cat("/", segment);
  if (directory || out.empty()) out += "/";
  return out;
}

void set_authority(Url& url, std::string_view authority) {
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
    authority.remove_prefix(at + 1);
  }
  const auto bracket = authority.rfind(']');
  const auto colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  const std::string_view host = authority.substr(0, colon);
  if (!is_host_name(host) && !is_ipv6_literal(host)) refuse(cat("host ", quoted(host)));
  url.host = lower_case(host);
  url.port = default_port(url.scheme);
  if (colon != std::string_view::npos && colon + 1 < authority.size()) {
    const auto port = parse_decimal(authority.substr(colon + 1));
    if (!port || *port == 0 || *port > 65535) {
      refuse(cat("port ", quoted(authority.substr(colon + 1))));
    }
    url.port = static_cast<std::uint16_t>(*port);
  }
}

void set_path_and_query(Url& url, std::string_view text) {
  const auto question = text.find('?');
  url.path = text.empty() || question == 0 ? "/" : std::string(text.substr(0, question));
  url.query.reset();
  if (question != std::string_view::npos) url.query = text.substr(question + 1);
}

void check_characters(std::string_view text) {
  if (text.size() > kMaxUrlBytes) refuse(cat("longer than ", kMaxUrlBytes, " bytes"));
  // Anything else could split a header line or is read differently by different programs.
  if (!std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7F; })) {
    refuse("a character that is not allowed");
  }
  if (text.find('\\') != std::string_view::npos) refuse("a backslash");
}

std::string_view without_fragment(std::string_view text) { return text.substr(0, text.find('#')); }

bool is_internal_ipv4(std::uint32_t address) {
  const auto within = [&](std::uint32_t network, unsigned bits) {
    return address >> (32 - bits) == network >> (32 - bits);
  };
  return within(0x00000000, 8) || within(0x0A000000, 8) || within(0x64400000, 10) ||
         within(0x7F000000, 8) || within(0xA9FE0000, 16) || within(0xAC100000, 12) ||
         within(0xC0A80000, 16) || within(0xE0000000, 3);
}

bool is_internal_ipv6(const in6_addr& address) {
  const auto& bytes = address.s6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&address) || IN6_IS_ADDR_V4COMPAT(&address)) {
    std::uint32_t word = 0;
    std::memcpy(&word, bytes + 12, sizeof word);
    return is_internal_ipv4(ntohl(word));
  }
  return IN6_IS_ADDR_LINKLOCAL(&address) || IN6_IS_ADDR_SITELOCAL(&address) ||
         IN6_IS_ADDR_MULTICAST(&address) || (bytes[0] & 0xFE) == 0xFC;
}

std::optional<std::uint32_t> ipv4_of(const std::string& host) {
  in_addr address{};
  // inet_aton also reads 127.1 and 0x7f000001, as resolvers do.
  if (::inet_aton(host.c_str(), &address) != 1) return std::nullopt;
  return ntohl(address.s_addr);
}

std::optional<in6_addr> ipv6_of(const std::string& host) {
  in6_addr address{};
  if (!is_ipv6_literal(host) ||
      ::inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &address) != 1) {
    return std::nullopt;
  }
  return address;
}

bool is_localhost(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  return host == "localhost" || host.ends_with(".localhost");
}

}  // namespace

Url Url::parse(std::string_view text) {
  check_characters(text);
  text = without_fragment(text);
  Url url;
  const auto colon = text.find("://");
  url.scheme = lower_case(text.substr(0, colon == std::string_view::npos ? 0 : colon));
  if (url.scheme != "http" && url.scheme != "https") refuse("neither http nor https");
  text.remove_prefix(colon + 3);
  const auto end = std::min(text.find_first_of("/?"), text.size());
  set_authority(url, text.substr(0, end));
  set_path_and_query(url, text.substr(end));
  return url;
}

std::optional<Url> Url::try_parse(std::string_view text) {
  try {
    return parse(text);
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::string Url::origin() const { return cat(scheme, "://", host, ":", port); }

std::string Url::authority() const {
  return port == default_port(scheme) ? host : cat(host, ":", port);
}

std::string Url::str() const {
  return query ? cat(scheme, "://", authority(), path, "?", *query)
               : cat(scheme, "://", authority(), path);
}

std::string Url::redacted() const { return cat(scheme, "://", authority(), path); }

Url Url::resolve(std::string_view reference) const {
  check_characters(reference);
  reference = without_fragment(reference);
  const auto first = reference.find_first_of(":/?");
  if (first != std::string_view::npos && reference[first] == ':') return parse(reference);
  if (reference.starts_with("//")) return parse(cat(scheme, ":", reference));
  Url url = *this;
  if (reference.empty()) return url;
  if (reference.front() == '?') {
    url.query = reference.substr(1);
    return url;
  }
  set_path_and_query(url, reference);
  if (url.path.front() != '/') url.path = cat(path.substr(0, path.rfind('/') + 1), url.path);
  url.path = without_dot_segments(url.path);
  return url;
}

Url Url::with_parameter(std::string_view name, std::string_view value) const {
  Url url = *this;
  const std::string_view before = query && !query->empty() ? std::string_view(*query) : "";
  url.query = cat(before, before.empty() ? "" : "&", name, "=", percent_encoded(value));
  return url;
}

bool Url::is_loopback() const {
  if (is_localhost(host)) return true;
  if (const auto address = ipv4_of(host)) return *address >> 24 == 127;
  const auto address = ipv6_of(host);
  return address && IN6_IS_ADDR_LOOPBACK(&*address);
}

bool Url::is_internal() const {
  if (is_loopback()) return true;
  if (const auto address = ipv4_of(host)) return is_internal_ipv4(*address);
  const auto address = ipv6_of(host);
  return address && is_internal_ipv6(*address);
}

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

}  // namespace lade
