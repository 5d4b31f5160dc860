package store

import (
	"context"
	"errors"

	"github.com/asyncops/asyncops/internal/mysqlconn"
	"github.com/asyncops/asyncops/job"
)

// mysqlCodes says what the server's errors mean that blame the statement.
var mysqlCodes = map[job.Code][]int{
	job.CodeConstraint: {
		1048, 1364, 1263, // not null, no default
		mysqlconn.CodeDuplicate, 1022, 1169, 1557, 1586, 1761, 1762, // unique
		1216, 1217, 1451, 1452, // foreign key
		3819, 4025, 1369, // check, of MySQL and MariaDB; of a view
		1644, // a trigger's SIGNAL
	},
	job.CodeInvalidValue: {
		1264, 1265, 1292, 1366, 1367, 1406, 1411, 1416, 1441, 1525, 1690, // range, truncation, type
		1267, 1270, 1271, 1300, 1365, // collation, character set, division by zero
		1153, 1301, // too large
		1906, 3105, // a generated column
		3140, 3141, 3143, 3144, 3146, 3147, 3156, 3157, // JSON
	},
	job.CodeUnknownColumn: {1054},
	job.CodeUnknownTable:  {1146, 1049, 1051, 1109},
	job.CodePermission:    {1044, 1045, 1142, 1143, 1227, 1370},
	job.CodeInvalid:       {1064, 1149, 1235, 1288, 1347, 1348, 1356, 1394, 1442, 1471, 1665, 1785},
}

func (*mysql) diagnose(err error) fault {
	number := mysqlconn.Code(err)
	switch {
	case mysqlconn.Connecting(err):
		if number == 1044 || number == 1045 { // a password may be on its way: worth another attempt
			return fault{class: job.ClassRetryable, code: job.CodePermission, message: "the server refuses the login"}
		}
		return fault{class: job.ClassRetryable, code: job.CodeDatabaseUnreachable, message: "no connection to the database", transient: true, undone: true}
	case mysqlconn.Unreachable(err):
		return fault{class: job.ClassRetryable, code: job.CodeDatabaseUnreachable, message: "no connection to the database, or it was lost", transient: true}
	case mysqlconn.Transient(err):
		return fault{class: job.ClassRetryable, code: job.CodeConflict, message: "another transaction stood in the way", transient: true, stale: number == 1412}
	case mysqlconn.ReadOnly(err):
		return fault{class: job.ClassRetryable, code: job.CodeReadOnly, message: "the server takes no writes at present", transient: true}
	case mysqlconn.TooLarge(err):
		return fault{class: job.ClassPermanent, code: job.CodeInvalidValue, message: "a statement would be larger than the server's max_allowed_packet"}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return fault{class: job.ClassRetryable, code: job.CodeTimeout, message: "the statement was interrupted"}
	}
	switch number {
	case 1969, 3024, 1317: // max_statement_time, max_execution_time, KILL QUERY
		return fault{class: job.ClassRetryable, code: job.CodeTimeout, message: "the statement ran longer than statement_timeout, or was killed on the server"}
	case 1021, 1037, 1038, 1041, 1114, 1206, 1297:
		return fault{class: job.ClassRetryable, code: job.CodeDatabaseUnreachable, message: "the database is out of resources"}
	}
	for code, numbers := range mysqlCodes {
		for _, n := range numbers {
			if n == number {
				return fault{
					class: job.ClassPermanent, code: code, message: mysqlconn.Message(err), private: true, duplicate: number == mysqlconn.CodeDuplicate || number == 1586,
					stale: code == job.CodeUnknownColumn || code == job.CodeUnknownTable || number == 1064,
				}
			}
		}
	}
	return fault{class: job.ClassRetryable, code: job.CodeInternal, message: "the database failed in a way that is not known"}
}
