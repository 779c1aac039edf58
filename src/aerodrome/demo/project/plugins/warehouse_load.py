"""The team's operator: put a JSON document into the warehouse."""

from airflow.hooks.base import BaseHook
from airflow.models.baseoperator import BaseOperator
from airflow.utils.decorators import apply_defaults

from include.cornershop import warehouse


class WarehouseLoadOperator(BaseOperator):
    """Load `payload` for one period through the connection `warehouse_conn_id`."""

    template_fields = ("period", "payload")
    ui_color = "#d9ead3"

    @apply_defaults
    def __init__(self, subject, payload, period="{{ data_interval_start.isoformat() }}", warehouse_conn_id="warehouse", **kwargs):
        super().__init__(**kwargs)
        self.subject = subject
        self.payload = payload
        self.period = period
        self.warehouse_conn_id = warehouse_conn_id

    def execute(self, context):
        connection = BaseHook.get_connection(self.warehouse_conn_id)
        table_prefix = connection.extra_dejson.get("subject_prefix", "")
        warehouse.load(connection.host, table_prefix + self.subject, self.period, self.payload)
        self.log.info("Loaded %s for %s as %s", self.subject, self.period, connection.login)
        return {"subject": self.subject, "period": self.period}
