/// Every way to name and reach images. A new transport is one file and one line in transports.cpp.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/store/store.h"

namespace lade {

/// The table, in the order of help texts.
const std::vector<Transport>& transports();

/// The names in the table.
std::vector<std::string> transport_names();

/// The transport of `name`; Error{invalid_argument} with the nearest one if there is none.
const Transport& transport_of(const ImageName& name);

/// The name as typed, of one of these transports; see ImageName::parse.
ImageName parse_image_name(std::string_view text);

/// A name opened for reading or writing, with what it points to there.
struct OpenedReader {
  std::unique_ptr<Reader> reader;
  TagOrDigest reference;
};
struct OpenedWriter {
  std::unique_ptr<Writer> writer;
  TagOrDigest reference;
};
OpenedReader open_reader(const ImageName& name, Session& session);
OpenedWriter open_writer(const ImageName& name, Session& session);

}  // namespace lade
