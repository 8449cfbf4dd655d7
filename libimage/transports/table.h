/// The entries of the table, each defined in the file of its transport.
#pragma once
#include "libimage/store/store.h"

namespace lade {

Transport docker_transport();
Transport oci_transport();
Transport oci_archive_transport();
Transport docker_archive_transport();
Transport dir_transport();
Transport containers_storage_transport();
Transport tarball_transport();
Transport docker_daemon_transport();

}  // namespace lade
