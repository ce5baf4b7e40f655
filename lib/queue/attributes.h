/* SPDX-License-Identifier: Apache-2.0 */
/* Names of envelope attributes, the same in the queue file and between programs. */
#ifndef QUEUE_ATTRIBUTES_H
#define QUEUE_ATTRIBUTES_H

#define ATTR_CLIENT_NAME     "client_name"
#define ATTR_CLIENT_ADDRESS  "client_address"
#define ATTR_CLIENT_PORT     "client_port"
#define ATTR_HELO_NAME       "helo_name"
#define ATTR_PROTOCOL_NAME   "protocol_name"
#define ATTR_SASL_METHOD     "sasl_method"
#define ATTR_SASL_USERNAME   "sasl_username"
#define ATTR_SASL_SENDER     "sasl_sender"
#define ATTR_ENVELOPE_ID     "envelope_id" /* DSN ENVID, decoded */
#define ATTR_DSN_RET         "dsn_ret"     /* FULL or HDRS */
#define ATTR_VERP            "verp_delimiters"
#define ATTR_ENCODING        "encoding" /* 7bit or 8bit: what the sender declared */
#define ATTR_UID             "uid"      /* local submission */
#define ATTR_FULL_NAME       "full_name"
#define ATTR_FILTER          "filter" /* content filter transport:nexthop */
#define ATTR_MESSAGE_ID      "message_id"
#define ATTR_REWRITE_CONTEXT "rewrite_context"

#endif
